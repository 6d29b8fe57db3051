"""One command at a time writes to a folder."""
import fcntl
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from .errors import UserError


@contextmanager
def locked_folder(out_dir: Path) -> Iterator[None]:
    """Creates the folder and holds it; the lock ends with the process, however that ends.

    Raises:
        UserError: if the folder cannot be made, or another command holds it.
    """
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'cannot create the folder {out_dir} ({error.strerror}); give another') from error
    handle = os.open(out_dir, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UserError(f'another command is writing to {out_dir}; wait for it to end') from error
    finally:
        os.close(handle)
