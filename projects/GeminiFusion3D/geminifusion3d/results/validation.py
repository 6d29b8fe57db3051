"""Judges any submission file, JSON or zip, of this project or of anybody else's.

The rules: strict_json (the file), content_rules (meta, lists, limits), record_rules (each box),
and here the ones that need the dataset: every sample of the split and no other, boxes near the ego
vehicle (a box in the LiDAR or ego frame is far away in the global one).
"""
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from .content_rules import challenge_track, check_content
from .findings import ERROR, Finding, errors_among
from .record_rules import is_finite_number
from .split_samples import SplitSamples
from .strict_json import UNREADABLE, read_submission_file

MAX_EGO_DISTANCE_M = 110.0


@dataclass(frozen=True)
class Verdict:
    """What was found in a submission file.

    Attributes:
        findings: all broken rules, in the order of the file.
        n_samples: how many samples the file has results for.
        n_boxes: how many boxes it holds.
        track: leaderboard track of its meta flags, None where they are broken.
    """

    findings: Tuple[Finding, ...]
    n_samples: int = 0
    n_boxes: int = 0
    track: Optional[str] = None

    @property
    def is_valid(self) -> bool:
        """Whether no rule is broken; warnings do not count."""
        return not errors_among(self.findings)

    def to_dict(self) -> Dict[str, Any]:
        """Returns the verdict for JSON output."""
        return {'valid': self.is_valid, 'samples': self.n_samples, 'boxes': self.n_boxes,
                'track': self.track, 'findings': [finding.to_dict() for finding in self.findings]}


def validate_file(path: Union[str, Path], split: SplitSamples) -> Verdict:
    """Checks a submission file against all rules.

    Args:
        path: results JSON, or a zip with one at its root.
        split: the samples it must cover.

    Raises:
        UserError: if there is no such file.
    """
    content, findings = read_submission_file(path)
    if content is UNREADABLE:
        return Verdict(findings=tuple(findings))
    findings = [*findings, *check_content(content), *check_split(content, split)]
    results = content.get('results') if isinstance(content, dict) else None
    results = results if isinstance(results, dict) else {}
    has_sound_meta = not any(f.field.startswith('meta') for f in errors_among(findings))
    return Verdict(
        findings=tuple(findings), n_samples=len(results),
        n_boxes=sum(len(records) for records in results.values() if isinstance(records, list)),
        track=challenge_track(content['meta']) if has_sound_meta and results else None)


def check_split(content: Any, split: SplitSamples) -> Iterator[Finding]:
    """Yields where a parsed submission does not fit the samples of a split."""
    results = content.get('results') if isinstance(content, dict) else None
    if not isinstance(results, dict):
        return
    for token in split.ego_xy_global_m:
        if token not in results:
            yield Finding(ERROR, 'missing-sample', f'no results for this sample of {split.split}, '
                          'expected a list (an empty one where nothing was found)', token,
                          'results')
    for token, records in results.items():
        if token not in split.ego_xy_global_m:
            yield Finding(ERROR, 'unknown-sample', f'got results for a sample that is not in '
                          f'split {split.split} of {split.version}', token, f'results.{token}')
        elif isinstance(records, list):
            yield from _check_distances(records, token, split.ego_xy_global_m[token])


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
