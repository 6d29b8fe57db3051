"""Judges any submission file, JSON or zip, of this project or of anybody else's.

The rules: submission_file (the file), rules (flags, lists, boxes), and here the ones that need the
dataset: every sample of the split and no other, boxes near the ego vehicle (a box in the LiDAR or ego
frame is far away in the global one). The file is read sample by sample.
"""
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple, Union

from ..cli import plural
from .findings import ERROR, EXAMPLES, WARNING, Finding, FindingLog, Group, describe_groups, errors_among
from .json_stream import NotJson
from .rules import (challenge_track, check_meta, check_sample, check_top_level, check_track, no_object,
                    shown_key)
from .split_samples import SplitSamples
from .submission_file import (RESULTS, SAMPLE, WHOLE, Part, ZipUnreadable, duplicate_key, open_submission,
                              read_parts, unreadable)

# More than any split has (train: 28,130), more than a top level needs: longer files are not read on.
MAX_SAMPLES = 100_000
MAX_TOP_LEVEL_KEYS = 1_000


@dataclass(frozen=True)
class Verdict:
    """What was found in a submission file.

    Attributes:
        findings: all broken rules, in the order of the file; of each rule the first thousand.
        n_samples: how many samples the file has results for.
        n_boxes: how many boxes it holds.
        track: leaderboard track of its meta flags, None where they are broken.
        groups: the findings by rule, each with the number of all.
        n_errors: how many errors there are, listed or not.
        n_warnings: how many warnings there are, listed or not.
    """

    findings: Tuple[Finding, ...]
    n_samples: int = 0
    n_boxes: int = 0
    track: Optional[str] = None
    groups: Tuple[Group, ...] = ()
    n_errors: int = 0
    n_warnings: int = 0

    @property
    def is_valid(self) -> bool:
        """Whether no rule is broken; warnings do not count."""
        return self.n_errors == 0

    @property
    def server_refuses(self) -> bool:
        """Whether the leaderboard's own code stops at the file."""
        return any(group.listed[0].server_refuses for group in self.groups)

    def to_dict(self, *, max_listed: int = EXAMPLES) -> Dict[str, Any]:
        """Returns the verdict for JSON output."""
        def part(refused: bool) -> List[Dict[str, Any]]:
            return [group.to_dict(max_listed) for group in self.groups
                    if group.listed[0].server_refuses == refused]
        return {'valid': self.is_valid, 'samples': self.n_samples, 'boxes': self.n_boxes,
                'track': self.track, 'errors': self.n_errors, 'warnings': self.n_warnings,
                'server_refuses': part(True), 'advice': part(False)}

    def lines(self, *, max_listed: int = EXAMPLES) -> Iterator[str]:
        """Yields the verdict for a terminal."""
        yield from describe_groups(self.groups, max_listed=max_listed)
        yield (f'{"valid" if self.is_valid else "INVALID"}, {plural(self.n_samples, "sample")}, '
               f'{plural(self.n_boxes, "box")}, track {self.track or "unknown"}, '
               f'{plural(self.n_errors, "error")}, {plural(self.n_warnings, "warning")}')


def validate_file(path: Union[str, Path], split: SplitSamples, *, track: Optional[str] = None) -> Verdict:
    """Checks a submission file against all rules.

    Args:
        path: results JSON, or a zip with one at its root.
        split: the samples it must cover.
        track: the leaderboard track it is meant for (see rules.TRACKS); None: any.

    Returns:
        The verdict.

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
    except (NotJson, ZipUnreadable) as error:
        judge.log.extend([unreadable(error)])
    except _TooMany as error:
        judge.log.extend([Finding(ERROR, 'too-long', f'the file was read no further: {error}')])
    return judge.verdict()


class _TooMany(Exception):
    """A file has so many keys that nothing can be learned from the rest of it."""


class _Judge:
    """Takes the parts of a submission one by one and holds no more than their keys."""

    def __init__(self, split: SplitSamples, track: Optional[str]) -> None:
        self.log = FindingLog()
        self._split = split
        self._track = track
        self._keys: 'Counter[str]' = Counter()
        self._tokens: Set[str] = set()
        self._n_boxes = 0
        self._meta: Any = None
        self._is_object = True
        self._has_samples = False

    def take(self, part: Part) -> None:
        """Judges one part."""
        if part.kind == WHOLE:
            self._is_object = False
            self.log.extend([*part.text_findings(), no_object(part.value)])
        elif part.kind == SAMPLE:
            self._take_sample(part)
        else:
            self._take_member(part)

    def finish(self) -> None:
        """Judges what can only be known at the end of the file."""
        if not self._is_object:
            return
        self.log.extend(check_top_level(self._keys))
        self.log.extend(duplicate_key(key, times) for key, times in self._keys.items() if times > 1)
        if self._has_samples:
            self.log.extend(
                Finding(ERROR, 'missing-sample', f'no results for this sample of {self._split.split}, '
                        'expected a list (an empty one where nothing was found)', token, 'results',
                        server_refuses=True)
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
            groups=tuple(self.log.groups.values()), n_errors=self.log.counts[ERROR],
            n_warnings=self.log.counts[WARNING])

    def _take_member(self, part: Part) -> None:
        self._keys[part.key] += 1
        if len(self._keys) > MAX_TOP_LEVEL_KEYS:
            raise _TooMany(f'got more than {MAX_TOP_LEVEL_KEYS} keys, expected exactly meta and results')
        self.log.extend(part.text_findings())
        if part.kind == RESULTS:
            self._has_samples = True
        elif part.key == 'meta':
            self._meta = part.value
            self.log.extend([*check_meta(part.value), *check_track(part.value, self._track)])
        elif part.key == 'results':
            self.log.extend([no_object(part.value, 'results')])

    def _take_sample(self, part: Part) -> None:
        if part.key in self._tokens:
            self.log.extend([duplicate_key(part.key, 2, shown_key(part.key))])
        self._tokens.add(part.key)
        if len(self._tokens) > MAX_SAMPLES:
            raise _TooMany(f'got results for more than {MAX_SAMPLES} samples, more than any split has')
        if isinstance(part.value, list):
            self._n_boxes += len(part.value)
        ego_xy_global_m = self._split.ego_xy_global_m.get(part.key)
        self.log.extend(part.text_findings())
        self.log.extend(check_sample(part.value, part.key, ego_xy_global_m))
        if ego_xy_global_m is None:
            token = shown_key(part.key)
            self.log.extend([Finding(
                ERROR, 'unknown-sample', 'got results for a sample that is not in '
                f'split {self._split.split} of {self._split.version}', token, f'results.{token}',
                server_refuses=True)])
