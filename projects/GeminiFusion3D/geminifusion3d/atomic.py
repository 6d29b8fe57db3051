"""Files that are whole or absent: written under a temporary name, then renamed.

A killed process leaves its temporary file behind; whoever next writes the same file removes it. The
writer holds a lock on its temporary file, which ends with the process, so that only those of dead
writers are removed. Of whole folders, one command at a time holds one.
"""
import fcntl
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Tuple, Union

from .errors import UserError

# The field of a sealed JSON file.
SEAL, SHA_256 = 'digest', re.compile('[0-9a-f]{64}')
# Workers of a killed command hold its locks with it; PyTorch's look every 5 s whether it is alive.
PATIENCE_S = 10.0


@contextmanager
def atomic_write(path: Union[str, Path], *, sync: bool = True) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it onto `path` on success, removes it on failure.

    Args:
        path: where the finished file shall stand; its folder is created.
        sync: reach the disk before the name is given, so that a power cut leaves the old file or the
            new one; False for what is cheap to make again.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    handle, name = _locked_temporary(path)
    # mkstemp makes private files; a finished file gets the permissions any other new file has.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    try:
        yield Path(name)
        if sync:
            sync_to_disk(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


def sync_to_disk(path: Union[str, Path]) -> None:
    """Forces a file, or the names in a folder, to the disk: a power cut then takes nothing of it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_whole(path: Union[str, Path], content: Union[str, bytes, memoryview]) -> None:
    """Writes a text, in UTF-8, or bytes atomically."""
    with atomic_write(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_leftovers(path: Path) -> None:
    """Removes the temporary files that killed writers of `path` left beside it."""
    prefix = f'.{path.name}.'
    with os.scandir(path.parent) as entries:
        names = [entry.path for entry in entries
                 if entry.name.startswith(prefix) and entry.name.endswith('.part')]
    for name in names:
        try:
            with open(name, 'rb') as leftover:
                fcntl.flock(leftover, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name)
        except OSError:
            continue  # its writer is alive, or another process removed it


def _locked_temporary(path: Path) -> Tuple[int, str]:
    while True:
        handle, name = tempfile.mkstemp(prefix=f'.{path.name}.', suffix='.part', dir=path.parent)
        fcntl.flock(handle, fcntl.LOCK_EX)
        # Another process may have taken it for a leftover before the lock was there.
        if os.path.exists(name):
            return handle, name
        os.close(handle)


def write_json(path: Union[str, Path], content: Any, *, indent: Union[int, None] = None, sealed: bool = False
               ) -> None:
    """Writes strict JSON (no NaN, no Infinity) atomically.

    Args:
        path: where the finished file shall stand.
        content: what to write.
        indent: as in `json.dumps`.
        sealed: `content`, an object, gets a field `digest` of the others, which `unsealed` verifies.

    Raises:
        ValueError: if `content` holds a number that JSON cannot carry.
    """
    if sealed:
        content = {**content, SEAL: _digest_of(content)}
    write_whole(path, json.dumps(content, indent=indent, allow_nan=False) + '\n')


def unsealed(content: Any) -> Any:
    """Returns what was written, without its digest; what has none, such as earlier versions', as it is.

    Args:
        content: what a JSON file holds.

    Raises:
        ValueError: if the digest is another: the file was damaged or changed.
    """
    if not isinstance(content, dict):
        return content
    fields = {key: value for key, value in content.items() if key != SEAL}
    # Damage in its name must not make the digest a field like others.
    renamed = any(isinstance(value, str) and SHA_256.fullmatch(value) and value == _digest_of(
        {other: content[other] for other in content if other != key}) for key, value in fields.items())
    if renamed or content.get(SEAL, _digest_of(fields)) != _digest_of(fields):
        raise ValueError('its digest is another: it was damaged or changed')
    return fields


def _digest_of(content: Any) -> str:
    as_read = json.loads(json.dumps(content))
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


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
