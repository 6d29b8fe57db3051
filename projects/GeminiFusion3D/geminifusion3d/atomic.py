"""Files that are whole or absent: written under a temporary name, then renamed."""
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Union


@contextmanager
def atomic_write(path: Union[str, Path]) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it onto `path` on success, removes it on failure.

    Args:
        path: where the finished file shall stand; its folder is created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f'.{path.name}.', suffix='.part', dir=path.parent)
    os.close(handle)
    # mkstemp makes private files; a finished file gets the permissions any other new file has.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(name, 0o666 & ~umask)
    try:
        yield Path(name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_json(path: Union[str, Path], content: Any, *, indent: Union[int, None] = None) -> None:
    """Writes strict JSON (no NaN, no Infinity) atomically.

    Raises:
        ValueError: if `content` holds a number that JSON cannot carry.
    """
    with atomic_write(path) as part:
        part.write_text(json.dumps(content, indent=indent, allow_nan=False) + '\n')
