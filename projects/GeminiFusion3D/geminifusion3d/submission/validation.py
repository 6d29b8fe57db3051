"""Judges any submission file, JSON or zip, of this project or of anybody else's.

The rules: strict_json (the file), content_rules (meta, lists, limits), record_rules (each box),
and here the ones that need the dataset: every sample of the split and no other, boxes near the ego
vehicle (a box in the LiDAR or ego frame is far away in the global one). The file is read sample by
sample; a sample without any finding is recognised at once (sound_records).
"""
import math
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple, Union

from .content_rules import (MAX_BOXES_PER_SAMPLE, challenge_track, check_content, check_meta, check_results, check_sample, check_top_level, check_track)
from .findings import ERROR, WARNING, Finding, FindingLog, errors_among
from .json_stream import NotJson
from .record_rules import MAX_EGO_DISTANCE_M, is_finite_number
from .sound_records import are_sound, has_no_repeated_key
from .split_samples import SplitSamples
from .strict_json import (ZIP_ERRORS, duplicate_key, not_json, open_submission, parse_json, zip_unreadable)
from .submission_parts import MEMBER, RESULTS, SAMPLE, WHOLE, Part, read_parts


@dataclass(frozen=True)
class Verdict:
    """What was found in a submission file.

    Attributes:
        findings: all broken rules, in the order of the file; of each rule the first thousand.
        n_samples: how many samples the file has results for.
        n_boxes: how many boxes it holds.
        track: leaderboard track of its meta flags, None where they are broken.
        unlisted: how many findings of a rule came after those.
        n_errors: how many errors there are, listed or not.
        n_warnings: how many warnings there are, listed or not.
    """

    findings: Tuple[Finding, ...]
    n_samples: int = 0
    n_boxes: int = 0
    track: Optional[str] = None
    unlisted: Mapping[str, int] = field(default_factory=dict)
    n_errors: int = 0
    n_warnings: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether no rule is broken; warnings do not count."""
        return self.n_errors == 0

    def to_dict(self) -> Dict[str, Any]:
        """Returns the verdict for JSON output."""
        return {'valid': self.is_valid, 'samples': self.n_samples, 'boxes': self.n_boxes,
                'track': self.track, 'errors': self.n_errors, 'warnings': self.n_warnings,
                'findings': [finding.to_dict() for finding in self.findings],
                'unlisted': dict(self.unlisted)}


def validate_file(path: Union[str, Path], split: SplitSamples, *, track: Optional[str] = None) -> Verdict:
    """Checks a submission file against all rules.

    Args:
        path: results JSON, or a zip with one at its root.
        split: the samples it must cover.
        track: the leaderboard track it is meant for (see content_rules.TRACKS); None: any.

    Raises:
        UserError: if there is no such file.
    """
    judge = _Judge(split, track)
    try:
        with open_submission(path) as (stream, findings):
            judge.log.extend(findings)
            if stream is not None:
                for part in read_parts(stream):
                    judge.take(part)
                judge.finish()
    except NotJson as error:
        judge.log.extend([not_json(error)])
    except ZIP_ERRORS as error:
        judge.log.extend([zip_unreadable(error)])
    return judge.verdict()


class _Judge:
    """Takes the parts of a submission one by one and remembers no more than their keys."""

    def __init__(self, split: SplitSamples, track: Optional[str]) -> None:
        self.log = FindingLog()
        self._split = split
        self._track = track
        self._keys: Counter = Counter()
        self._tokens: Set[str] = set()
        self._n_boxes = 0
        self._meta: Any = None
        self._is_object = False
        self._has_samples = False

    def take(self, part: Part) -> None:
        """Judges one part."""
        {WHOLE: self._take_whole, MEMBER: self._take_member, RESULTS: self._take_key,
         SAMPLE: self._take_sample}[part.kind](part)

    def finish(self) -> None:
        """Judges what can only be known at the end of the file."""
        if not self._is_object:
            return
        self.log.extend(check_top_level(self._keys))
        self.log.extend(duplicate_key(key, times) for key, times in self._keys.items() if times > 1)
        if self._has_samples:
            self.log.extend(
                Finding(ERROR, 'missing-sample', f'no results for this sample of {self._split.split}, '
                        'expected a list (an empty one where nothing was found)', token, 'results')
                for token in self._split.ego_xy_global_m if token not in self._tokens)
        if self._tokens and not self._n_boxes:
            self.log.extend([Finding(
                WARNING, 'no-boxes', 'got no box in any sample, expected some: the official evaluation '
                'stops with an error', field='results')])

    def verdict(self) -> Verdict:
        """Returns what was found."""
        has_sound_meta = self._meta is not None and not errors_among(check_meta(self._meta))
        return Verdict(
            findings=tuple(self.log.listed), n_samples=len(self._tokens), n_boxes=self._n_boxes,
            track=challenge_track(self._meta) if has_sound_meta and self._tokens else None,
            unlisted=dict(self.log.unlisted), n_errors=self.log.counts[ERROR],
            n_warnings=self.log.counts[WARNING])

    def _take_whole(self, part: Part) -> None:
        self.log.extend([*parse_json(part.text)[1], *check_content(part.value)])

    def _take_key(self, part: Part) -> None:
        self._is_object = True
        self._keys[part.key] += 1
        self._has_samples = self._has_samples or part.kind == RESULTS

    def _take_member(self, part: Part) -> None:
        self._take_key(part)
        self.log.extend(parse_json(part.text)[1])
        if part.key == 'meta':
            self._meta = part.value
            self.log.extend([*check_meta(part.value), *check_track(part.value, self._track)])
        elif part.key == 'results':
            self.log.extend(check_results(part.value))

    def _take_sample(self, part: Part) -> None:
        token, records = part.key, part.value
        if token in self._tokens:
            self.log.extend([duplicate_key(token, 2, token)])
        self._tokens.add(token)
        ego_xy_m = self._split.ego_xy_global_m.get(token)
        if isinstance(records, list):
            self._n_boxes += len(records)
            if (ego_xy_m is not None and len(records) <= MAX_BOXES_PER_SAMPLE
                    and are_sound(records, token, ego_xy_m)
                    and has_no_repeated_key(part.text, records, token)):
                return
        self.log.extend(_sample_findings(part, self._split, ego_xy_m))


def _sample_findings(part: Part, split: SplitSamples, ego_xy_m: Optional[Tuple[float, float]]
                     ) -> Iterator[Finding]:
    """Yields everything that is wrong with one sample."""
    token = part.key
    for finding in parse_json(part.text)[1]:
        yield replace(finding, sample_token=token, field=f'results.{token}')
    yield from check_sample(part.value, token)
    if ego_xy_m is None:
        yield Finding(ERROR, 'unknown-sample', f'got results for a sample that is not in '
                      f'split {split.split} of {split.version}', token, f'results.{token}')
    elif isinstance(part.value, list):
        yield from _check_distances(part.value, token, ego_xy_m)


def _check_distances(records: List[Any], token: str, ego_xy_m: Tuple[float, float]
                     ) -> Iterator[Finding]:
    """Yields boxes that are too far from the ego vehicle to have been seen from it."""
    for index, record in enumerate(records):
        center = record.get('translation') if isinstance(record, dict) else None
        if not isinstance(center, list) or len(center) != 3:
            continue  # reported by the record rules, as numbers that are not finite
        if not all(map(is_finite_number, center)):
            continue
        distance_m = math.hypot(center[0] - ego_xy_m[0], center[1] - ego_xy_m[1])
        if distance_m > MAX_EGO_DISTANCE_M:
            yield Finding(ERROR, 'far-from-ego', f'got {center}, {distance_m:.1f} m from the ego '
                          f'vehicle, expected at most {MAX_EGO_DISTANCE_M:g} m (are the boxes in '
                          'the global frame?)', token, f'results.{token}[{index}].translation')
