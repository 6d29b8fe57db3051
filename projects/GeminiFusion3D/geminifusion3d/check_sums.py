"""Check sums for text files, which have none of their own: a change is said, not refused.

A folder may hold SHA256SUMS, as `sha256sum *.json > SHA256SUMS` writes it: whoever reads a file of the folder
compares. A line of JSON may end with the CRC-32 of what stands before it, in the field crc32. People edit
tables and records, so that damage and a change by hand look alike: both are named once in a warning.
"""
import hashlib
import json
import re
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Set, Tuple, Union

from .atomic import write_whole
from .errors import UserError

SUMS_NAME = 'SHA256SUMS'
# What was said already.
said: Set[str] = set()
# As sha256sum reads it: two blanks, or a blank and a star for what is no text.
_ROW = re.compile(r'([0-9a-f]{64}) [ *](.+)')
FIELD = 'crc32'
_LINE = re.compile(rb'(.*), "([^"]*)": (\d+)}\s*', re.DOTALL)


def write_sums(folder: Path, names: Iterable[str]) -> None:
    """Writes SHA256SUMS; what it says of other files stays."""
    path = folder / SUMS_NAME
    rows = {**(_rows(path) if path.exists() else {}), **{name: file_sum(folder / name) for name in names}}
    write_whole(path, ''.join(f'{digest}  {name}\n' for name, digest in sorted(rows.items())))


def warn_if_changed(path: Union[str, Path]) -> None:
    """Says if a file is another one than SHA256SUMS of its folder lists, where there is such a list.

    Args:
        path: the file.

    Raises:
        OSError: if one of them cannot be read.
    """
    path = Path(path)
    sums = path.with_name(SUMS_NAME)
    if not sums.exists():
        return
    rows = _rows(sums)
    lost = [name for name in rows if not path.with_name(name).exists()]
    if lost or not rows:
        say_once(f'{sums} is damaged or lists files that are not there ({", ".join(lost[:3])})')
    elif path.name in rows and rows[path.name] != file_sum(path):
        say_once(f'{path} has another check sum than {sums} says: it was damaged, or changed since then')


def say_once(problem: str) -> None:
    """Prints a warning about a change, once in a process."""
    if problem not in said:
        said.add(problem)
        print(f'warning: {problem}; if you changed it, remove its old check sum', file=sys.stderr)


def _rows(path: Path) -> Dict[str, str]:
    found = [_ROW.fullmatch(line) for line in path.read_text(errors='replace').splitlines()]
    return {} if None in found else {row[2]: row[1] for row in found if row is not None}


def file_sum(path: Path) -> str:
    """Returns the SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sealed_line(content: Dict[str, Any]) -> str:
    """Returns an object as a line of strict JSON that ends with a check sum.

    Args:
        content: the object; not empty.

    Raises:
        ValueError: if it holds a number that JSON cannot carry.
    """
    text = json.dumps({key: value for key, value in content.items() if key != FIELD}, allow_nan=False)
    return f'{text[:-1]}, "{FIELD}": {zlib.crc32(text[:-1].encode())}}}\n'


def unsealed_line(line: bytes) -> Tuple[Any, bool]:
    """Returns what a line of JSON holds, without its check sum, and whether that is right.

    Args:
        line: the line; it may have no check sum.

    Raises:
        ValueError: if it is no JSON.
    """
    found = _LINE.fullmatch(line)
    is_right = found is not None and zlib.crc32(found[1]) == int(found[3])
    if found is not None and is_right and found[2] == FIELD.encode():
        return json.loads(found[1] + b'}'), True
    content = json.loads(line)
    # Damage in its name must not make the check sum a field like others.
    is_changed = is_right or isinstance(content, dict) and FIELD in content
    if isinstance(content, dict):
        content.pop(FIELD, None)
    return content, not is_changed


def json_lines(path: Path) -> Iterator[Any]:
    """Yields what the lines of a file hold; a last one that a killed process left unfinished is left out.

    Args:
        path: the file.

    Raises:
        UserError: if a line is damaged.
    """
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            if not line.strip():
                continue
            content, is_right = unsealed_line(line)
            if not is_right:
                raise ValueError('its check sum is another')
            yield content
        except ValueError as error:
            if not line.endswith(b'\n') and b'}' not in line:
                return
            raise UserError(f'{path}, line {number}, is damaged ({error}); remove that line, or move the '
                            'file away') from error
