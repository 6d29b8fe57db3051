"""Writes and reads submissions sample by sample: no invalid file is ever left, none is held in memory.

Last step of the flow: the records of all samples of a split and the five flags that say what they were
made from. Every sample is checked by the rules before it is written; the file appears under its name only
when it is complete. The same content is the same bytes.
"""
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Tuple, Union

from ..atomic import atomic_write
from ..errors import UserError
from .findings import Finding, errors_among
from .json_stream import NotJson
from .rules import RECORD_FIELDS, TOP_LEVEL_KEYS, check_meta, check_sample, check_top_level, no_object
from .submission_file import (RESULTS, SAMPLE, WHOLE, Part, ZipUnreadable, duplicate_key, open_submission,
                              read_parts, unreadable)

Record = Mapping[str, Any]
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_COPY_BYTES = 1 << 20
_SHOWN_ERRORS = 5


class InvalidSubmission(UserError):
    """What is a submission, or was to become one, breaks the rules.

    Args:
        findings: all broken rules; the message shows the first few.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        named = '; '.join(str(finding) for finding in self.findings[:_SHOWN_ERRORS])
        rest = len(self.findings) - _SHOWN_ERRORS
        super().__init__(f'{named}{f"; and {rest} more" if rest > 0 else ""}')


def write_submission(path: Union[str, Path], *, meta: Mapping[str, bool],
                     samples: Iterable[Tuple[str, Sequence[Record]]],
                     expected: Optional[Iterable[str]] = None) -> int:
    """Writes a results JSON, whole or not at all.

    Args:
        path: where to.
        meta: the five flags use_camera, use_lidar, use_radar, use_map, use_external.
        samples: sample token and nuScenes records, in the order of the file; fields come in the official
            order, numbers with all their digits.
        expected: the sample tokens that must be there, all and no others; None: any.

    Returns:
        The number of boxes.

    Raises:
        InvalidSubmission: if any rule that needs no dataset is broken.
        UserError: if a sample is missing or one too many is there.
    """
    _refuse(errors_among(check_meta(dict(meta))))
    tokens: Set[str] = set()
    n_boxes = 0
    with atomic_write(path) as part, part.open('wb') as file:
        file.write(b'{"meta":%s,"results":{' % _compact(dict(meta)))
        for token, records in samples:
            _refuse([duplicate_key(token, 2, token)] if token in tokens else
                    errors_among(check_sample(records, token)))
            file.write(b'%s%s:%s' % (b',' if tokens else b'', _compact(token), _compact(
                [{field: record[field] for field in RECORD_FIELDS} for record in records])))
            tokens.add(token)
            n_boxes += len(records)
        file.write(b'}}\n')
        if expected is not None:
            _check_covers(tokens, set(expected))
    return n_boxes


def zip_submission(json_path: Path, zip_path: Path) -> None:
    """Packs a results JSON into a zip, whole or not at all.

    The entry carries a fixed time and fixed rights: the same file becomes the same zip.

    Args:
        json_path: the file; it stands at the root of the zip under its name.
        zip_path: where the zip goes.
    """
    entry = zipfile.ZipInfo(json_path.name, date_time=_ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 3, 0o644 << 16
    with atomic_write(zip_path) as part, json_path.open('rb') as source, \
            zipfile.ZipFile(part, 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as archive, \
            archive.open(entry, 'w', force_zip64=True) as file:
        while chunk := source.read(_COPY_BYTES):
            file.write(chunk)


def read_meta(path: Union[str, Path]) -> Dict[str, bool]:
    """Returns the five flags of a submission, JSON or zip.

    Args:
        path: of the submission.

    Raises:
        InvalidSubmission: if they are absent or broken, or the file is no submission.
        UserError: if there is no such file.
    """
    for part in _strict_parts(path):
        if part.key == 'meta' and part.kind not in (SAMPLE, WHOLE):
            _refuse(errors_among(check_meta(part.value)))
            return dict(part.value)
    raise InvalidSubmission(list(check_top_level(['results'])))


def read_samples(path: Union[str, Path]) -> Iterator[Tuple[str, List[Record]]]:
    """Yields sample token and records of a submission, JSON or zip, as they come.

    The text is checked (strict JSON, exactly meta and results); what the records hold is not.

    Args:
        path: of the submission.

    Raises:
        InvalidSubmission: if the file is no submission.
        UserError: if there is no such file.
    """
    for part in _strict_parts(path):
        if part.kind == SAMPLE:
            yield part.key, part.value


def has_boxes(path: Union[str, Path]) -> bool:
    """Whether a submission holds any box; reads no further than to the first."""
    return any(records for _, records in read_samples(path))


def _strict_parts(path: Union[str, Path]) -> Iterator[Part]:
    """Yields the parts of a file that is strict JSON and holds meta and results, each once."""
    keys: List[str] = []
    try:
        with open_submission(path) as (stream, findings):
            _refuse(errors_among(findings))
            for part in read_parts(stream) if stream is not None else ():
                _refuse(list(part.text_findings()))
                if part.kind == WHOLE:
                    raise InvalidSubmission([no_object(part.value)])
                if part.kind != SAMPLE:
                    _refuse([duplicate_key(part.key, 2)] if part.key in keys else [])
                    keys.append(part.key)
                    _refuse(errors_among(check_top_level({*TOP_LEVEL_KEYS, part.key})))
                    if part.key == 'results' and part.kind != RESULTS:
                        raise InvalidSubmission([no_object(part.value, 'results')])
                yield part
    except (NotJson, ZipUnreadable) as error:
        raise InvalidSubmission([unreadable(error)]) from None
    _refuse(errors_among(check_top_level(keys)))


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        raise InvalidSubmission(findings)


def _check_covers(got: Set[str], expected: Set[str]) -> None:
    if got != expected:
        raise UserError(
            f'got results for {len(got)} samples, expected the {len(expected)} of the split: '
            f'{_some(expected - got)} missing, {_some(got - expected)} too many')


def _compact(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(',', ':')).encode()


def _some(tokens: Iterable[str]) -> str:
    ordered: List[str] = sorted(tokens)
    more = ', ...' if len(ordered) > 3 else ''
    return f'{len(ordered)} ({", ".join(ordered[:3])}{more})' if ordered else '0'
