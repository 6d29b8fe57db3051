"""Reads a JSON file as a strict judge would: no NaN, no Infinity, no key twice.

Python's own reader accepts all three; a leaderboard's may not, and with duplicate keys two readers
can disagree about what was submitted. The content is returned all the same where it can be read,
so that a validator can go on and name the places.
"""
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

from ..errors import UserError
from .findings import ERROR, WARNING, Finding

UNREADABLE = object()


def read_submission_file(path: Union[str, Path]) -> Tuple[Any, List[Finding]]:
    """Reads a submission from a JSON file or from a zip that holds one.

    Returns:
        The parsed content, UNREADABLE where there is none, and what is wrong with the file itself.

    Raises:
        UserError: if there is no such file.
    """
    _require_file(path)
    if Path(path).suffix.lower() == '.zip' or zipfile.is_zipfile(path):
        return _read_zip(Path(path))
    return read_json(path)


def read_json(path: Union[str, Path]) -> Tuple[Any, List[Finding]]:
    """Reads a JSON file.

    Returns:
        The parsed content, UNREADABLE where there is none, and what is wrong with the text.

    Raises:
        UserError: if there is no such file.
    """
    _require_file(path)
    return parse_json(Path(path).read_bytes())


def parse_json(text: bytes) -> Tuple[Any, List[Finding]]:
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
        content = json.loads(text.decode('utf-8'), parse_constant=constant,
                             object_pairs_hook=unique)
        return content, findings
    except (ValueError, RecursionError) as error:
        return UNREADABLE, [Finding(ERROR, 'not-json', f'the file is not JSON: {error}')]


def _require_file(path: Union[str, Path]) -> None:
    if not Path(path).is_file():
        raise UserError(f'{path} is not a file; give a results JSON or the zip of one')


def _duplicates(pairs: List[Tuple[str, Any]]) -> List[Finding]:
    """Returns a finding per repeated key; a record says itself which sample it belongs to."""
    keys = [key for key, _ in pairs]
    token = dict(pairs).get('sample_token', '')
    return [Finding(ERROR, 'duplicate-key', f'the key {key!r} stands {keys.count(key)} times in '
                    'one object, expected once', token if isinstance(token, str) else '')
            for key in sorted(set(keys)) if keys.count(key) > 1]


def _read_zip(path: Path) -> Tuple[Any, List[Finding]]:
    """Reads the one JSON file at the root of a zip."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            at_root = [name for name in names if name.endswith('.json') and '/' not in name]
            if len(at_root) != 1:
                return UNREADABLE, [Finding(
                    ERROR, 'zip-content', f'got {len(at_root)} JSON files at the root of the zip '
                    f'(it holds {names}), expected exactly one')]
            others = [Finding(WARNING, 'zip-content', f'got {name!r} beside the JSON file, '
                              'expected it alone') for name in names if name != at_root[0]]
            content, findings = parse_json(archive.read(at_root[0]))
            return content, others + findings
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
        return UNREADABLE, [Finding(ERROR, 'zip-unreadable', f'the zip cannot be read: {error}')]
