"""A detection submission that cannot exist in an invalid state, and its files.

Last step of the flow: the records of all samples of a split and the five flags that say what they
were made from. Everything is checked in the construction; the files are the same bytes for the
same content, whatever the order in which the samples arrived.
"""
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ..atomic import atomic_write
from ..errors import UserError
from .content_rules import check_content
from .findings import Finding, errors_among
from .json_stream import NotJson
from .record_rules import RECORD_FIELDS
from .sound_records import are_sound, has_no_repeated_key
from .strict_json import duplicate_key, not_json, parse_json
from .submission_parts import RESULTS, SAMPLE, WHOLE, read_parts

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_SHOWN_ERRORS = 5


class InvalidSubmission(UserError):
    """What would have become a submission breaks the rules.

    Args:
        findings: all broken rules; the message shows the first few.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        shown = '; '.join(str(finding) for finding in self.findings[:_SHOWN_ERRORS])
        rest = len(self.findings) - _SHOWN_ERRORS
        super().__init__(f'{shown}{f"; and {rest} more" if rest > 0 else ""}')


@dataclass(frozen=True)
class Submission:
    """Detections of a split with the declaration of their inputs.

    Attributes:
        meta: the five flags use_camera, use_lidar, use_radar, use_map, use_external.
        results: records by sample token; read-only copies of what was given, sorted by token.

    Raises:
        InvalidSubmission: if any rule that needs no dataset is broken.
    """

    meta: Mapping[str, bool]
    results: Mapping[str, Sequence[Mapping[str, Any]]]

    def __post_init__(self) -> None:
        content = {'meta': _plain(self.meta), 'results': _plain(self.results)}
        errors = errors_among(check_content(content))
        if errors:
            raise InvalidSubmission(errors)
        object.__setattr__(self, 'meta', MappingProxyType(content['meta']))
        object.__setattr__(self, 'results', MappingProxyType({
            token: tuple(_frozen_record(record) for record in content['results'][token])
            for token in sorted(content['results'])}))

    @classmethod
    def from_json(cls, path: Union[str, Path]) -> 'Submission':
        """Reads a submission from a JSON file.

        Raises:
            InvalidSubmission: if the file is not strict JSON (no NaN, no key twice) or breaks a
                rule.
            UserError: if there is no such file.
        """
        if not Path(path).is_file():
            raise UserError(f'{path} is not a file; give a results JSON')
        content, findings = _read_content(Path(path))
        if findings:
            raise InvalidSubmission(findings)
        if not isinstance(content, dict) or content.keys() != {'meta', 'results'}:
            raise InvalidSubmission(errors_among(check_content(content)))
        return cls(meta=content['meta'], results=content['results'])

    def check_covers(self, sample_tokens: Iterable[str]) -> None:
        """Refuses a submission for other samples than these.

        Raises:
            UserError: if a sample is missing or one too many is there.
        """
        expected, got = set(sample_tokens), set(self.results)
        if got != expected:
            raise UserError(
                f'got results for {len(got)} samples, expected the {len(expected)} of the split: '
                f'{_some(expected - got)} missing, {_some(got - expected)} too many')

    def to_json_bytes(self) -> bytes:
        """Returns the JSON text: samples sorted, fields in the official order, numbers in full."""
        return b''.join(self._json_pieces())

    def to_json(self, path: Union[str, Path]) -> None:
        """Writes the JSON file, whole or not at all."""
        with atomic_write(path) as part, part.open('wb') as file:
            file.writelines(self._json_pieces())

    def to_zip(self, path: Union[str, Path], *, json_name: Optional[str] = None) -> None:
        """Writes a zip with the JSON file at its root, whole or not at all.

        The entry carries a fixed time and fixed rights: the same submission is the same zip.

        Args:
            path: where the zip goes.
            json_name: name of the JSON file in it; default: that of the zip with `.json`.
        """
        entry = zipfile.ZipInfo(json_name or Path(path).with_suffix('.json').name, date_time=_ZIP_TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system, entry.external_attr = 3, 0o644 << 16
        with atomic_write(path) as part, \
                zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as archive, \
                archive.open(entry, 'w', force_zip64=True) as file:
            file.writelines(self._json_pieces())

    def _json_pieces(self) -> Iterator[bytes]:
        """Yields the JSON text sample by sample."""
        yield b'{"meta":%s,"results":{' % _compact(dict(self.meta))
        for index, (token, records) in enumerate(self.results.items()):
            yield b'%s%s:%s' % (b',' if index else b'', _compact(token),
                                _compact([dict(record) for record in records]))
        yield b'}}\n'


def _compact(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(',', ':')).encode()


def _read_content(path: Path) -> Tuple[Any, List[Finding]]:
    """Reads a file sample by sample; returns its content and why it is not strict JSON."""
    content: Dict[str, Any] = {}
    findings: List[Finding] = []
    try:
        with path.open('rb') as stream:
            for part in read_parts(stream):
                if part.kind == WHOLE:
                    return part.value, parse_json(part.text)[1]
                holder = content['results'] if part.kind == SAMPLE else content
                if part.key in holder:
                    findings.append(duplicate_key(part.key, 2))
                holder[part.key] = {} if part.kind == RESULTS else part.value
                is_strict = (part.kind == RESULTS or part.kind == SAMPLE and isinstance(part.value, list)
                             and are_sound(part.value, part.key)
                             and has_no_repeated_key(part.text, part.value, part.key))
                if not is_strict:
                    findings.extend(parse_json(part.text)[1])
    except NotJson as error:
        return None, [not_json(error)]
    return content, findings


def _plain(value: Any) -> Any:
    """Returns fresh dicts and lists for mappings and tuples, also those of another submission."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _frozen_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType({
        field: tuple(record[field]) if isinstance(record[field], list) else record[field]
        for field in RECORD_FIELDS})


def _some(tokens: Iterable[str]) -> str:
    ordered: List[str] = sorted(tokens)
    more = ', ...' if len(ordered) > 3 else ''
    return f'{len(ordered)} ({", ".join(ordered[:3])}{more})' if ordered else '0'
