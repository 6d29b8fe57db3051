"""A folder that a generator may write to: new, empty, or its own with the same arguments."""
import json
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from geminifusion3d.folder_lock import locked_folder

from .scene_simulation import write_file


@contextmanager
def own_folder(out: Path, mark: str, arguments: Dict[str, Any]) -> Iterator[None]:
    """Holds the folder of a dataset whose bytes follow from some arguments.

    Args:
        out: the folder.
        mark: name of the file that says whose it is.
        arguments: what decides the bytes.

    Raises:
        UserError: if it holds something else, or the same of other arguments; nothing is changed then.
    """
    path = out / mark
    if out.exists() and any(out.iterdir()) and not path.exists():
        raise UserError(
            f'{out} holds something that this tool did not write: choose another folder, nothing was changed')
    if path.exists():
        before = _read(path)
        for key, value in arguments.items():
            if before.get(key, value) != value:
                raise UserError(f'{out} holds the same made with {key}={before[key]}, now {key}={value} is '
                                'asked for: give the same value, or another folder; nothing was changed')
    with locked_folder(out):
        write_json(path, arguments)
        yield


def write_own_file(path: Path, content: bytes) -> None:
    """Writes a file unless it is there; what somebody else put in its place stays, with a UserError."""
    if path.exists():
        if path.read_bytes() != content:
            raise UserError(f'{path} is not what this tool, in this version, writes there: somebody else '
                            'wrote it, or it is damaged; choose another folder, or move it away')
        return
    write_file(path, content)


def _read(path: Path) -> Dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path} is damaged ({error}): choose another folder') from error
    return content if isinstance(content, dict) else {}
