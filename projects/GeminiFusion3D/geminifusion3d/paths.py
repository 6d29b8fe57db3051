"""File names that come from data stay inside the folder that the data belongs to."""
import os
import re
from pathlib import Path
from typing import Union

from .errors import UserError

SAFE_NAME_LENGTH = 64


def checked_relative_path(name: str) -> str:
    """Returns a file name from a table, an info file or a record if it stays inside the data root.

    Args:
        name: the file name.

    Raises:
        UserError: if it is no text, absolute, or climbs out of the data root.
    """
    is_odd = not isinstance(name, str) or not name or '\\' in name or '\0' in name
    if is_odd or name.startswith('/') or '..' in name.split('/'):
        raise UserError(f'the data name the file {name!r}; expected a path inside the data root, such as '
                        'samples/LIDAR_TOP/NAME.pcd.bin')
    return name


def inside(root: Union[str, Path], name: str) -> str:
    """Returns the path of a file that data name, joined to the data root.

    Args:
        root: the data root.
        name: the file name.

    Raises:
        UserError: if it would lie outside.
    """
    return os.path.join(root, checked_relative_path(name))


def safe_name(token: str) -> str:
    """Returns a file name for a token, which is anybody's text."""
    return re.sub(r'[^A-Za-z0-9_-]', '_', token)[:SAFE_NAME_LENGTH]
