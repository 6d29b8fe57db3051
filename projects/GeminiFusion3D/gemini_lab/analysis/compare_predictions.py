"""Two results files of one split, object by object: what did one find and the other miss?

On the devkit's own filters and matching (centre within 2 m). Predictions below a score are no finds: a
detector's lowest boxes touch nearly every object. Each file has its own scores per class, those of its
highest F1, since scores of two detectors do not compare; or one given score.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox

from ..text_table import NOTHING, number, terminal_table
from .breakdown import DISTANCE_EDGES_M
from .evaluated_boxes import AnnotationFacts, EvaluatedBoxes, load_evaluated_boxes
from .official_matching import UNMATCHED, ClassBoxes, Matches, match

OUTCOMES = ('both', 'only_a', 'only_b', 'neither')
DISTANCES = tuple(f'{low}-{high} m' for low, high in zip(DISTANCE_EDGES_M, DISTANCE_EDGES_M[1:]))
COUNTS = ('objects', *OUTCOMES)
SHOWN = 5
ObjectKey = Tuple[Any, ...]


@dataclass(frozen=True)
class Find:
    """How one file found one object.

    Attributes:
        score: of the prediction that took it.
        errors: the devkit's five, NaN where the truth is not known.
    """

    score: float
    errors: Dict[str, float]


@dataclass(frozen=True)
class ClassFinds:
    """What one file found of one class.

    Attributes:
        min_score: predictions below it do not count.
        finds: by object, those found.
        false_positives: predictions that count and took no object.
    """

    min_score: float
    finds: Dict[ObjectKey, Find]
    false_positives: int


def compare_files(path_a: Path, path_b: Path, *, tables: NuScenes, split: str,
                  min_score: Optional[float] = None) -> Dict[str, Any]:
    """Compares two results files.

    Args:
        path_a: a valid results file of the split.
        path_b: another.
        tables: the dataset.
        split: official or custom.
        min_score: what counts as a find in both files; None for the score of the highest F1 of each
            class and file.
    """
    evaluated = [load_evaluated_boxes(result_path=path, tables=tables, split=split)
                 for path in (path_a, path_b)]
    return {'a': str(path_a), 'b': str(path_b), 'split': split,
            'match_distance_m': evaluated[0].config.dist_th_tp, **compare(*evaluated, min_score=min_score)}


def compare(a: EvaluatedBoxes, b: EvaluatedBoxes, *, min_score: Optional[float] = None) -> Dict[str, Any]:
    """Compares what two files found of the same annotations.

    Args:
        a: one file's boxes.
        b: another file's boxes, of the same annotations.
        min_score: predictions below it do not count.

    Returns:
        `classes`: counts by class; `distances`: by distance; `objects`: each object that one file alone
        found, largest difference of scores first; `samples`: those with most such objects first.
    """
    classes, objects, outcomes = {}, [], []
    for boxes_a, boxes_b in zip(a.classes, b.classes):
        found = [finds_of_class(boxes, a.config.dist_th_tp, min_score) for boxes in (boxes_a, boxes_b)]
        rows = [_object_row(box, facts, *found)
                for box, facts in zip(boxes_a.annotations, a.annotation_facts[boxes_a.name])]
        classes[boxes_a.name] = {
            'objects': len(rows), **_count(rows), **_both_sides('min_score', found),
            **_both_sides('false_positives', found), **_errors_where_both(*found)}
        outcomes += rows
        objects += [row for row in rows if row['found_by'].startswith('only')]
    objects.sort(key=lambda row: (-row['score'], row['sample_token'], row['class'], row['translation']))
    return {'classes': classes, 'distances': _by_distance(outcomes), 'objects': objects,
            'samples': _by_sample(objects)}


def finds_of_class(boxes: ClassBoxes, threshold_m: float, min_score: Optional[float]) -> ClassFinds:
    """Returns what one file found of one class."""
    matches = match(boxes, threshold_m)
    if min_score is None:
        min_score = best_f1_score(boxes.scores, matches.is_match, len(boxes.annotations))
    counts = boxes.scores >= min_score
    # Matches of lower scores were made after these and took nothing from them.
    finds = {_key(boxes.annotations[matches.annotation_of[i]]): _find(boxes, matches, i)
             for i in np.flatnonzero(counts & matches.is_match)}
    return ClassFinds(min_score=min_score, finds=finds,
                      false_positives=int((counts & (matches.annotation_of == UNMATCHED)).sum()))


def best_f1_score(scores: np.ndarray, is_match: np.ndarray, n_annotations: int) -> float:
    """Returns the score at which F1 is highest, 0 where nothing was found.

    Args:
        scores: falling.
        is_match: whether each prediction took an object.
        n_annotations: how many objects there are.
    """
    if not is_match.any():
        return 0.0
    taken = np.cumsum(is_match)
    f1 = 2 * taken / (np.arange(1, len(scores) + 1) + n_annotations)
    # Equal scores count together.
    is_last = np.append(scores[1:] != scores[:-1], True)
    return float(scores[np.argmax(np.where(is_last, f1, 0))])


def _find(boxes: ClassBoxes, matches: Matches, index: int) -> Find:
    return Find(score=boxes.predictions[index].detection_score,
                errors={name: float(values[index]) for name, values in matches.errors.items()})


def _key(box: DetectionBox) -> ObjectKey:
    return (box.sample_token, *box.translation, *box.size, *box.rotation)


def _object_row(box: DetectionBox, facts: AnnotationFacts, a: ClassFinds, b: ClassFinds) -> Dict[str, Any]:
    finds = [side.finds.get(_key(box)) for side in (a, b)]
    outcome = {(True, True): 'both', (True, False): 'only_a', (False, True): 'only_b',
               (False, False): 'neither'}[finds[0] is not None, finds[1] is not None]
    return {'found_by': outcome, 'class': box.detection_name, 'sample_token': box.sample_token,
            'distance_m': float(box.ego_dist), 'translation': [float(part) for part in box.translation],
            'score': max((find.score for find in finds if find is not None), default=0.0),
            'visibility': facts.visibility, 'n_lidar_points': int(facts.n_lidar_points)}


def _count(rows: List[Dict[str, Any]]) -> Dict[str, int]:
    return {outcome: sum(row['found_by'] == outcome for row in rows) for outcome in OUTCOMES}


def _both_sides(name: str, found: List[ClassFinds]) -> Dict[str, Any]:
    return {f'{name}_{side}': getattr(finds, name) for side, finds in zip('ab', found)}


def _errors_where_both(a: ClassFinds, b: ClassFinds) -> Dict[str, Any]:
    """Returns each side's mean errors over the objects that both found: the same objects."""
    common = sorted(a.finds.keys() & b.finds.keys())
    return {f'errors_{side}': {
        name: _mean([finds.finds[key].errors[name] for key in common])
        for name in (finds.finds[common[0]].errors if common else ())}
        for side, finds in (('a', a), ('b', b))}


def _mean(values: List[float]) -> Optional[float]:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else None


def _by_distance(rows: List[Dict[str, Any]]) -> Dict[str, Dict[str, int]]:
    bins = np.searchsorted(DISTANCE_EDGES_M, [row['distance_m'] for row in rows], side='right') - 1
    parts = {name: [row for row, place in zip(rows, bins) if place == index]
             for index, name in enumerate(DISTANCES)}
    return {name: {'objects': len(part), **_count(part)} for name, part in parts.items()}


def _by_sample(objects: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Returns the samples in which the files differ, most differing objects first."""
    parts: Dict[str, List[Dict[str, Any]]] = {}
    for row in objects:
        parts.setdefault(row['sample_token'], []).append(row)
    rows = [{'sample_token': token, 'only_a': _count(part)['only_a'], 'only_b': _count(part)['only_b']}
            for token, part in parts.items()]
    return sorted(rows, key=lambda row: (-row['only_a'] - row['only_b'], row['sample_token']))


def format_comparison(result: Mapping[str, Any]) -> str:
    """Returns one line per class and per distance, and where to look."""
    counts = [name.replace('_', ' ') for name in COUNTS]
    total = {name: sum(row[name] for row in result['classes'].values()) for name in COUNTS}
    rows = [[name, *_counts(row), number(row['min_score_a']), number(row['min_score_b']),
             str(row['false_positives_a']), str(row['false_positives_b']),
             *(number(row[f'errors_{side}'].get('trans_err')) for side in 'ab')]
            for name, row in result['classes'].items()]
    classes = terminal_table(['class', *counts, 'score A', 'score B', 'FP A', 'FP B', 'ATE A', 'ATE B'],
                             [*rows, ['all', *_counts(total), *[NOTHING] * 6]])
    distances = terminal_table(['distance', *counts], [
        [name, *_counts(row)] for name, row in result['distances'].items()])
    return '\n'.join([
        f'A: {result["a"]}', f'B: {result["b"]}',
        f'A find: centre within {result["match_distance_m"]:g} m, score at least that of the class.', '',
        classes, '', distances, '', 'ATE: over the objects that both found.', *_places(result)])


def _counts(row: Mapping[str, Any]) -> List[str]:
    return [str(row[name]) for name in COUNTS]


def _places(result: Mapping[str, Any]) -> List[str]:
    """Returns the samples with most differences and the surest finds of one file alone."""
    if not result['objects']:
        return ['', 'Both files found the same objects.']
    samples = [f'  {row["sample_token"]}  only A {row["only_a"]}, only B {row["only_b"]}'
               for row in result['samples'][:SHOWN]]
    objects = []
    for outcome in ('only_a', 'only_b'):
        rows = [row for row in result['objects'] if row['found_by'] == outcome][:SHOWN]
        objects += [f'  {outcome.replace("_", " ")}  {row["sample_token"]}  {row["class"]}, '
                    f'{row["distance_m"]:.0f} m away, {row["n_lidar_points"]} LiDAR points, '
                    f'score {row["score"]:.2f}' for row in rows]
    return ['', 'samples that differ most', *samples, 'surest finds of one file alone', *objects]
