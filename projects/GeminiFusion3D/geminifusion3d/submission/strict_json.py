"""Reads JSON as a strict judge would: no NaN, no Infinity, no key twice.

Python's own reader accepts all three; a leaderboard's may not, and with duplicate keys two readers
can disagree about what was submitted. The content is returned all the same where it can be read,
so that a validator can go on and name the places.
"""
import json
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Tuple, Union

from ..errors import UserError
from .findings import ERROR, WARNING, Finding

UNREADABLE = object()
# What a damaged or encrypted zip raises, when it is opened or in the middle of it.
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


@contextmanager
def open_submission(path: Union[str, Path]) -> Iterator[Tuple[Optional[BinaryIO], List[Finding]]]:
    """Opens a JSON file, or the one in a zip.

    Yields:
        The bytes of the JSON text, None where there is none, and what is wrong with the file itself.
        Reading from a damaged zip raises one of ZIP_ERRORS.

    Raises:
        UserError: if there is no such file.
    """
    if not Path(path).is_file():
        raise UserError(f'{path} is not a file; give a results JSON or the zip of one')
    if Path(path).suffix.lower() != '.zip' and not zipfile.is_zipfile(path):
        with open(path, 'rb') as stream:
            yield stream, []
        return
    with zipfile.ZipFile(path) as archive:
        name, findings = _only_json(archive)
        if name is None:
            yield None, findings
            return
        with archive.open(name) as stream:
            yield stream, findings


def zip_unreadable(error: Exception) -> Finding:
    """Returns the finding about a zip that raised one of ZIP_ERRORS."""
    return Finding(ERROR, 'zip-unreadable', f'the zip cannot be read: {error}')


def not_json(error: Exception) -> Finding:
    """Returns the finding about a text that is not JSON."""
    return Finding(ERROR, 'not-json', f'the file is not JSON: {error}')


def duplicate_key(key: str, times: int, sample_token: str = '') -> Finding:
    """Returns the finding about a key that stands several times in one object."""
    return Finding(ERROR, 'duplicate-key', f'the key {key!r} stands {times} times in one object, '
                   'expected once', sample_token)


def parse_json(text: Union[str, bytes]) -> Tuple[Any, List[Finding]]:
    """Parses UTF-8 JSON; returns the content or UNREADABLE, and what is wrong with the text."""
    findings: List[Finding] = []

    def constant(name: str) -> float:
        findings.append(Finding(ERROR, 'json-constant', f'got {name}, which is not JSON; expected '
                                'finite numbers'))
        return float(name.replace('Infinity', 'inf'))

    def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            findings.extend(_duplicates(pairs))
        return content

    try:
        text = text if isinstance(text, str) else text.decode('utf-8')
        return json.loads(text, parse_constant=constant, object_pairs_hook=unique), findings
    except (ValueError, RecursionError) as error:
        return UNREADABLE, [not_json(error)]


def _duplicates(pairs: List[Tuple[str, Any]]) -> List[Finding]:
    """Returns a finding per repeated key; a record says itself which sample it belongs to."""
    keys = [key for key, _ in pairs]
    token = dict(pairs).get('sample_token', '')
    return [duplicate_key(key, keys.count(key), token if isinstance(token, str) else '')
            for key in sorted(set(keys)) if keys.count(key) > 1]


def _only_json(archive: zipfile.ZipFile) -> Tuple[Optional[str], List[Finding]]:
    """Returns the name of the one JSON file at the root of a zip, and what is wrong around it."""
    names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    at_root = [name for name in names if name.endswith('.json') and '/' not in name]
    if len(at_root) != 1:
        return None, [Finding(
            ERROR, 'zip-content', f'got {len(at_root)} JSON files at the root of the zip '
            f'(it holds {names}), expected exactly one')]
    return at_root[0], [Finding(WARNING, 'zip-content', f'got {name!r} beside the JSON file, expected '
                                'it alone') for name in names if name != at_root[0]]
