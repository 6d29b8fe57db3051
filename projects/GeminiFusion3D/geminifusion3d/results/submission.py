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
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Union

from ..atomic import atomic_write
from ..errors import UserError
from .content_rules import check_content
from .findings import Finding, errors_among
from .record_rules import RECORD_FIELDS
from .strict_json import read_json

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
        content, findings = read_json(path)
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
        content: Dict[str, Any] = {
            'meta': dict(self.meta),
            'results': {token: [dict(record) for record in records]
                        for token, records in self.results.items()}}
        return (json.dumps(content, allow_nan=False, separators=(',', ':')) + '\n').encode()

    def to_json(self, path: Union[str, Path]) -> None:
        """Writes the JSON file, whole or not at all."""
        with atomic_write(path) as part:
            part.write_bytes(self.to_json_bytes())

    def to_zip(self, path: Union[str, Path]) -> None:
        """Writes a zip with the JSON file at its root, whole or not at all.

        The entry carries a fixed time and fixed rights: the same submission is the same zip.
        """
        entry = zipfile.ZipInfo(Path(path).with_suffix('.json').name, date_time=_ZIP_TIME)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system, entry.external_attr = 3, 0o644 << 16
        with atomic_write(path) as part, zipfile.ZipFile(part, 'w') as archive:
            archive.writestr(entry, self.to_json_bytes(), compresslevel=6)


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
