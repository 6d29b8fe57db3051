"""A results file as columns: what ensembling and inspection compute with, a tenth of the JSON's size.

Numbers in arrays, sample after sample. Several results files become one by weighted box fusion: they may be
anybody's, but must be of the same samples. Velocity is averaged with the box, the attribute is voted on, and
the flags of all files are joined: what one of them used was used. What that gains over each of the files is
scored by the official devkit.
"""
from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int
from nuscenes import NuScenes

from geminifusion3d.cli import plural
from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES, MAX_BOXES_PER_SAMPLE, VALID_ATTRIBUTES
from geminifusion3d.results.devkit_eval import evaluate_file
from geminifusion3d.results.nuscenes_boxes import Record
from geminifusion3d.results.weighted_box_fusion import RADIUS_M, Fused, Opinions, fuse, vote
from geminifusion3d.submission.findings import Finding, FindingLog, errors_among
from geminifusion3d.submission.json_stream import NotJson
from geminifusion3d.submission.provenance import check_recorded
from geminifusion3d.submission.rules import META_FLAGS, check_meta, check_sample
from geminifusion3d.submission.split_samples import SplitSamples
from geminifusion3d.submission.submission_file import (MEMBER, SAMPLE, Part, ZipUnreadable, duplicate_key,
                                                       open_submission, read_parts)
from geminifusion3d.submission.validation import validate_file

from ..text_table import number, terminal_table

ATTRIBUTES: Tuple[str, ...] = tuple(dict.fromkeys(
    name for names in VALID_ATTRIBUTES.values() for name in names))
LABEL_OF = {name: label for label, name in enumerate(CLASS_NAMES)}
ATTRIBUTE_OF = {name: index for index, name in enumerate(ATTRIBUTES)}
# Per box: centre 3, size 3, quaternion 4, velocity 2, score, label, attribute.
COLUMNS = 15


@dataclass(frozen=True)
class PredictionFile:
    """The boxes of a results file in its order; those of sample i are first[i] to first[i + 1].

    Attributes:
        path: where it was read from.
        meta: the five flags.
        tokens: the samples.
        first: index of each sample's first box, and the number of boxes.
        boxes: global frame: centre x, y, z; width, length, height; yaw; velocity x, y.
        scores: confidences.
        labels: index into CLASS_NAMES.
        attributes: index into ATTRIBUTES.
    """

    path: Path
    meta: Dict[str, bool]
    tokens: Tuple[str, ...]
    first: Int[np.ndarray, ' samples_and_1']
    boxes: Float[np.ndarray, 'n 9']
    scores: Float[np.ndarray, ' n']
    labels: Int[np.ndarray, ' n']
    attributes: Int[np.ndarray, ' n']

    @property
    def sample_of(self) -> Int[np.ndarray, ' n']:
        """Index of each box's sample."""
        return np.repeat(np.arange(len(self.tokens)), np.diff(self.first))


class BoxColumns:
    """Collects records, sample after sample, in 120 bytes each."""

    def __init__(self) -> None:
        self.tokens: List[str] = []
        self.first = [0]
        self._numbers = array('d')

    def add(self, token: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Adds a sample."""
        for record in records:
            self._numbers.extend((
                *record['translation'], *record['size'], *record['rotation'], *record['velocity'],
                record['detection_score'], LABEL_OF[record['detection_name']],
                ATTRIBUTE_OF[record['attribute_name']]))
        self.tokens.append(token)
        self.first.append(self.first[-1] + len(records))

    def to_file(self, path: Path, meta: Dict[str, bool]) -> PredictionFile:
        """Returns what was collected."""
        table = np.frombuffer(self._numbers, dtype=float).reshape(-1, COLUMNS)
        w, x, y, z = table[:, 6:10].T
        # Where the quaternion takes the x axis, seen from above: the devkit's yaw.
        yaw_rad = np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
        return PredictionFile(
            path=path, meta=meta, tokens=tuple(self.tokens), first=np.array(self.first),
            boxes=np.column_stack([table[:, :6], yaw_rad, table[:, 10:12]]), scores=table[:, 12].copy(),
            labels=table[:, 13].astype(int), attributes=table[:, 14].astype(int))


def read_predictions(path: Path) -> PredictionFile:
    """Reads a results file, JSON or zip, of this project or anybody else's; UserError if it breaks a rule."""
    file, log = read_with_findings(path)
    errors = errors_among(log.listed)
    if errors:
        raise UserError(f'{path}: {errors[0]}; gemini3d validate lists everything')
    return file


def check_submission(path: Path, split: SplitSamples) -> None:
    """Refuses a file that is no valid submission of a split, with the first rule that it breaks."""
    check_recorded(path)
    errors = errors_among(validate_file(path, split).findings)
    if errors:
        raise UserError(f'{path} is no valid submission of {split.split}: {errors[0]}; gemini3d validate '
                        'lists everything')


def read_with_findings(path: Path) -> Tuple[PredictionFile, FindingLog]:
    """Reads a results file as far as it is sound.

    Args:
        path: results JSON, or a zip with one at its root.

    Returns:
        The boxes that break no rule, and everything that is worth a look.

    Raises:
        UserError: if it is no results file at all, or not the one that a record beside it is about.
    """
    check_recorded(path)
    log, columns, keys, meta = FindingLog(), BoxColumns(), [], {}
    for part in _parts(path):
        if part.kind == SAMPLE:
            findings = list(check_sample(part.value, part.key))
            log.extend(findings)
            columns.add(part.key, part.value if not findings else _sound(part.key, part.value))
        else:
            keys.append(part.key)
        if part.kind == MEMBER and part.key == 'meta':
            log.extend(check_meta(part.value))
            meta = part.value
    if sorted(keys) != ['meta', 'results']:
        raise UserError(f'{path} has the keys {", ".join(keys) or "(none)"}; expected meta and results, as '
                        'gemini3d export writes them')
    log.extend(duplicate_key(token, times, token) for token, times in Counter(columns.tokens).items()
               if times > 1)
    return columns.to_file(path, meta), log


def _parts(path: Path) -> Iterator[Part]:
    """Yields the parts of a file; what is no JSON is the user's mistake."""
    try:
        with open_submission(path) as (stream, findings):
            if stream is None:
                raise UserError(f'{path}: {findings[0]}')
            yield from read_parts(stream)
    except (NotJson, ZipUnreadable) as error:
        raise UserError(f'{path} cannot be read: {error}') from error


def _sound(token: str, records: Any) -> List[Record]:
    """Returns the records of a sample that break no rule."""
    listed = records if isinstance(records, list) else []
    return [record for record in listed if not errors_among(check_sample([record], token))]


def joint_meta(files: Sequence[PredictionFile]) -> Dict[str, bool]:
    """Returns the five flags of an ensemble."""
    return {flag: any(file.meta[flag] for file in files) for flag in META_FLAGS}


def fuse_files(files: Sequence[PredictionFile], *, weights: Sequence[float],
               radius_m: Mapping[str, float] = RADIUS_M) -> Iterator[Tuple[str, List[Record]]]:
    """Yields each sample's fused records, samples sorted by token; files of different samples are refused."""
    index_of = [{token: index for index, token in enumerate(file.tokens)} for file in files]
    for file, known in zip(files, index_of):
        if known.keys() != index_of[0].keys():
            differing = sorted(known.keys() ^ index_of[0].keys())
            raise UserError(f'{file.path} holds {len(known)} samples, {files[0].path} {len(index_of[0])}, '
                            f'and {len(differing)} are in one alone, such as {differing[0]}; expected '
                            'files of the same split')
    for token in sorted(index_of[0]):
        ranges = [slice(file.first[known[token]], file.first[known[token] + 1])
                  for file, known in zip(files, index_of)]
        yield token, fuse_sample(token, files, ranges, weights=weights, radius_m=radius_m)


def fuse_sample(token: str, files: Sequence[PredictionFile], ranges: Sequence[slice], *,
                weights: Sequence[float], radius_m: Mapping[str, float]) -> List[Record]:
    """Returns the fused records of one sample, best first, at most as many as allowed."""
    def column(name: str) -> np.ndarray:
        return np.concatenate([getattr(file, name)[one] for file, one in zip(files, ranges)])

    counts = [one.stop - one.start for one in ranges]
    fused = fuse(Opinions(boxes=column('boxes'), scores=column('scores'), labels=column('labels'),
                          source=np.repeat(np.arange(len(files)), counts)),
                 weights=weights, radius_m=radius_m)
    return _records(token, fused, vote(column('attributes'), fused))


def _records(token: str, fused: Fused, attributes: np.ndarray) -> List[Record]:
    boxes = fused.boxes[:MAX_BOXES_PER_SAMPLE]
    half_rad = boxes[:, 6] / 2
    quaternions = np.column_stack([np.cos(half_rad), np.zeros((len(boxes), 2)), np.sin(half_rad)])
    columns = zip(boxes.tolist(), quaternions.tolist(), fused.scores.tolist(), fused.labels.tolist(),
                  attributes.tolist())
    return [{
        'sample_token': token, 'translation': box[:3], 'size': box[3:6], 'rotation': quaternion,
        'velocity': box[7:9], 'detection_name': CLASS_NAMES[label], 'detection_score': score,
        'attribute_name': ATTRIBUTES[attribute],
    } for box, quaternion, score, label, attribute in columns]


FUSED = 'fused'
METRICS = {'mAP': 'mean_ap', 'NDS': 'nd_score'}


def score_gain(members: Sequence[Path], fused: Path, *, tables: NuScenes, split: str) -> List[Dict[str, Any]]:
    """Returns mAP, NDS and their gain over the best member's, a row per member, then their ensemble's."""
    rows = [{'file': str(path), **_score(path, tables, split)} for path in members]
    best = {name: max(row[name] for row in rows) for name in METRICS}
    rows.append({'file': FUSED, **_score(fused, tables, split)})
    return [{**row, **{f'{name}_gain': row[name] - best[name] for name in METRICS}} for row in rows]


def format_gain(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns one line per file for the terminal."""
    header = ['', *(cell for name in METRICS for cell in (name, 'to best'))]
    return terminal_table(header, [[row['file'], *(cell for name in METRICS for cell in (
        number(row[name]), number(row[f'{name}_gain'], signed=True)))] for row in rows])


def _score(path: Path, tables: NuScenes, split: str) -> Dict[str, float]:
    summary = evaluate_file(result_path=path, tables=tables, split=split).summary
    return {name: float(summary[key]) for name, key in METRICS.items()}


SCORE_EDGES = np.linspace(0, 1, 11)
DISTANCE_EDGES_M = np.array([0, 10, 20, 30, 40, 50, np.inf])
QUANTILES = (0.05, 0.5, 0.95)
# Longer than wide, nearly without exception.
LONG_CLASSES = ('car', 'truck', 'bus', 'trailer', 'motorcycle', 'bicycle')
FEWEST_TO_JUDGE = 10
BAR_WIDTH = 30


def summarise_predictions(file: PredictionFile, log: FindingLog,
                          ego_xy_m: Optional[Mapping[str, Tuple[float, float]]] = None) -> Dict[str, Any]:
    """Returns the numbers as JSON content.

    Args:
        file: what was read.
        log: what was found on the way.
        ego_xy_m: where the ego vehicle was, by sample; without it there are no distances.
    """
    per_sample = np.diff(file.first)
    distance_m = None if ego_xy_m is None else ego_distance_m(file, ego_xy_m)
    return {
        'file': str(file.path), 'meta': dict(file.meta), 'samples': len(file.tokens),
        'boxes': len(file.scores), 'empty_samples': int((per_sample == 0).sum()),
        'boxes_per_sample': {name: float(value) for name, value in zip(
            ('fewest', 'median', 'most'), np.quantile(per_sample, (0, 0.5, 1)) if len(per_sample) else ())},
        'score_histogram': _histogram(file.scores, SCORE_EDGES),
        'distance_histogram': None if distance_m is None else _histogram(distance_m, DISTANCE_EDGES_M),
        'classes': {name: _class_row(file, file.labels == label, distance_m)
                    for label, name in enumerate(CLASS_NAMES)},
        'broken_rules': _by_rule(log), 'suspicions': suspicions(file)}


def ego_distance_m(file: PredictionFile, ego_xy_m: Mapping[str, Tuple[float, float]]) -> np.ndarray:
    """Returns each box's distance from the ego vehicle; NaN in samples that the split does not have."""
    nowhere = (np.nan, np.nan)
    positions_m = np.array([ego_xy_m.get(token, nowhere) for token in file.tokens]).reshape(-1, 2)
    return np.linalg.norm(file.boxes[:, :2] - positions_m[file.sample_of], axis=1)


def suspicions(file: PredictionFile) -> List[str]:
    """Returns sentences about what no rule forbids."""
    found = [f'no box of class {name}' for label, name in enumerate(CLASS_NAMES)
             if len(file.scores) and not (file.labels == label).any()]
    if len(file.scores) >= FEWEST_TO_JUDGE and not file.boxes[:, 7:9].any():
        found.append('every velocity is zero: does the detector predict none?')
    for name in LONG_CLASSES:
        width_m, length_m = file.boxes[file.labels == CLASS_NAMES.index(name), 3:5].T
        if len(width_m) >= FEWEST_TO_JUDGE and (width_m > length_m).mean() > 0.5:
            found.append(f'most boxes of class {name} are wider than long: sizes are width, length, height')
    full = int((np.diff(file.first) >= MAX_BOXES_PER_SAMPLE).sum())
    if full:
        found.append(f'{plural(full, "sample")} with {MAX_BOXES_PER_SAMPLE} boxes or more, the limit')
    return found


def format_summary(summary: Mapping[str, Any]) -> str:
    """Returns the numbers as text for a terminal."""
    used = [flag for flag, is_used in summary['meta'].items() if is_used is True]
    per_sample = summary['boxes_per_sample']
    lines = [f'{summary["file"]}: {plural(summary["samples"], "sample")}, {plural(summary["boxes"], "box")}, '
             f'{plural(summary["empty_samples"], "sample")} without a box',
             f'declared: {", ".join(used) or "nothing"}',
             'boxes per sample: ' + ', '.join(f'{name} {value:g}' for name, value in per_sample.items()), '',
             f'{"class":<22}{"boxes":>9}{"score 5 %":>11}{"median":>8}{"95 %":>8}{"m/s":>7}'
             f'{"m":>7}  attributes']
    lines += [_class_line(name, row) for name, row in summary['classes'].items()]
    for title in ('score', 'distance'):
        histogram = summary[f'{title}_histogram']
        if histogram is not None:
            lines += ['', title + (' in m' if title == 'distance' else ''), *_bars(histogram)]
    lines += ['', *(f'{row["severity"]} [{rule}] {row["count"]} times, first: {row["first"]}'
                    for rule, row in summary['broken_rules'].items())]
    return '\n'.join(lines + [f'look at: {text}' for text in summary['suspicions']]).rstrip()


def _class_row(file: PredictionFile, is_class: np.ndarray, distance_m: Optional[np.ndarray]
               ) -> Dict[str, Any]:
    count = int(is_class.sum())
    if not count:
        return {'boxes': 0}
    speed_mps = np.linalg.norm(file.boxes[is_class, 7:9], axis=1)
    attributes = Counter(ATTRIBUTES[index] for index in file.attributes[is_class].tolist())
    return {
        'boxes': count,
        'score_quantiles': dict(zip(map(str, QUANTILES),
                                    np.quantile(file.scores[is_class], QUANTILES).tolist())),
        'median_size_wlh_m': np.median(file.boxes[is_class, 3:6], axis=0).tolist(),
        'median_speed_mps': float(np.median(speed_mps)),
        'median_distance_m': _median(distance_m, is_class), 'attributes': dict(attributes.most_common())}


def _median(distance_m: Optional[np.ndarray], is_class: np.ndarray) -> Optional[float]:
    known = np.zeros(0) if distance_m is None else distance_m[is_class & np.isfinite(distance_m)]
    return float(np.median(known)) if len(known) else None


def _class_line(name: str, row: Mapping[str, Any]) -> str:
    if not row['boxes']:
        return f'{name:<22}{0:>9}'
    low, median, high = row['score_quantiles'].values()
    distance_m = row['median_distance_m']
    where = f'{"-":>7}' if distance_m is None else f'{distance_m:7.1f}'
    named = ', '.join(f'{key} {value}' for key, value in row['attributes'].items() if key)
    return (f'{name:<22}{row["boxes"]:>9}{low:11.3f}{median:8.3f}{high:8.3f}'
            f'{row["median_speed_mps"]:7.2f}{where}  {named}').rstrip()


def _histogram(values: np.ndarray, edges: np.ndarray) -> List[Dict[str, Any]]:
    counts = np.histogram(values[np.isfinite(values)], edges)[0]
    return [{'from': float(low), 'to': float(high) if np.isfinite(high) else None, 'boxes': int(count)}
            for low, high, count in zip(edges, edges[1:], counts)]


def _bars(histogram: List[Dict[str, Any]]) -> List[str]:
    most = max(1, *(row['boxes'] for row in histogram))
    return [f'  {row["from"]:>4g} - {"" if row["to"] is None else format(row["to"], "g"):<4}'
            f'{row["boxes"]:>9} {"#" * round(BAR_WIDTH * row["boxes"] / most)}'.rstrip()
            for row in histogram]


def _by_rule(log: FindingLog) -> Dict[str, Dict[str, Any]]:
    """Returns for each broken rule how often, and where first."""
    rows: Dict[str, Dict[str, Any]] = {}
    for group in log.groups.values():
        first = group.listed[0]
        row = rows.setdefault(first.rule, {'severity': first.severity, 'count': 0, 'first': _place(first)})
        row['count'] += group.count
    return rows


def _place(finding: Finding) -> str:
    return f'{finding.field}: {finding.message}'
