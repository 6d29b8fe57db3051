"""One command at a time writes to a folder."""
import fcntl
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .errors import UserError


@contextmanager
def locked_folder(out_dir: Path, *, who: str = 'another command', advice: str = 'wait for it to end'
                  ) -> Iterator[None]:
    """Creates the folder and holds it; the lock ends with the process, however that ends.

    A network disk that knows no locks holds nothing back, and says so.

    Args:
        out_dir: the folder.
        who: what holds the folder, for the message of whoever comes second.
        advice: what to do about that.

    Raises:
        UserError: if the folder cannot be made, or another command holds it.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'cannot create the folder {out_dir} ({error.strerror}); give another') from error
    handle = os.open(out_dir, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f'{who} is writing to {out_dir}; {advice}') from error
        except OSError as error:
            print(f'warning: {out_dir} lies on a disk without locks ({error.strerror}): take care that '
                  'nothing else writes to it', file=sys.stderr)
        yield
    finally:
        os.close(handle)
