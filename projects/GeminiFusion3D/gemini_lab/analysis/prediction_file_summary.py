"""What a results file holds, in numbers: counts, scores, distances, and what looks wrong.

Beside broken rules, which the validator judges, this names what is legal and still a mistake in most
cases: velocities that are all zero, width and length that have changed places.
"""
from collections import Counter
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from geminifusion3d.cli import plural
from geminifusion3d.nuscenes_facts import CLASS_NAMES, MAX_BOXES_PER_SAMPLE
from geminifusion3d.submission.findings import Finding, FindingLog

from .prediction_file import ATTRIBUTES, PredictionFile

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
