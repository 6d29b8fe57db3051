"""One command at a time writes to a folder."""
import fcntl
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .errors import UserError

# Workers of a killed command hold its locks with it; PyTorch's look every 5 s whether it is alive.
PATIENCE_S = 10.0


@contextmanager
def locked_folder(out_dir: Path, *, who: str = 'another command', advice: str = 'wait for it to end'
                  ) -> Iterator[None]:
    """Creates the folder and holds it; the lock ends with the process and its workers, however they end.

    Whoever comes second gives up after PATIENCE_S. A network disk that knows no locks holds nothing back, and
    says so.

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
            _lock(handle)
        except BlockingIOError as error:
            raise UserError(f'{who} is writing to {out_dir}; {advice}') from error
        except OSError as error:
            print(f'warning: {out_dir} lies on a disk without locks ({error.strerror}): take care that '
                  'nothing else writes to it', file=sys.stderr)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)
