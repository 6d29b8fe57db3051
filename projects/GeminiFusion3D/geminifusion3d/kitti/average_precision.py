"""KITTI's average precision over 11 and 40 recalls, on any processor.

Source: mmdet3d 1.4.0 evaluation/functional/kitti_utils/eval.py, whose overlaps need numba on a GPU;
definitions, also the odd ones, are its: a detection lower than a difficulty's least height is passed over
whatever its class, thresholds are taken from the best scored detection of each object, and at a threshold an
object takes the detection that overlaps it most. One difference: where no detection counts (0 of 0) the
precision is 0, there NaN.
"""
from dataclasses import dataclass
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..results.detection_ap import rotated_overlaps
from .labels import DONT_CARE, MAX_OCCLUSION, MAX_TRUNCATION, MIN_HEIGHT_PX

KINDS = ('2D', 'BEV', '3D')
DIFFICULTIES = ('easy', 'moderate', 'hard')
# Overlaps of 2D, BEV and 3D that a match must exceed.
MIN_OVERLAPS = {
    'Car': {'strict': (0.7, 0.7, 0.7), 'loose': (0.7, 0.5, 0.5)},
    'Pedestrian': {'strict': (0.5, 0.5, 0.5), 'loose': (0.5, 0.25, 0.25)},
    'Cyclist': {'strict': (0.5, 0.5, 0.5), 'loose': (0.5, 0.25, 0.25)}}
# Classes so alike that a detection of one on the other is no mistake.
NEIGHBOURS = {'Car': 'Van', 'Pedestrian': 'Person_sitting'}
N_RECALLS = 41
COUNTS, IGNORED, OTHER = 0, 1, -1
NONE = -1
Annotations = Mapping[str, np.ndarray]


class _Frame(NamedTuple):
    """One frame as a class and a difficulty see it; objects and detections are COUNTS, IGNORED or OTHER."""

    overlaps: Float[np.ndarray, 'd o']
    objects: Int[np.ndarray, ' o']
    detections: Int[np.ndarray, ' d']
    scores: Float[np.ndarray, ' d']
    in_dont_care: Bool[np.ndarray, ' d']
    turned_rad: Float[np.ndarray, 'd o']


@dataclass(frozen=True)
class Curve:
    """Precision (41,) at recalls 0, 1/40, ..., 1, and, of 2D, the similarity of orientations there."""

    precision: Float[np.ndarray, ' 41']
    similarity: Float[np.ndarray, ' 41']


def kitti_average_precision(truth: Sequence[Annotations], found: Sequence[Annotations],
                            classes: Sequence[str], kinds: Sequence[str] = KINDS) -> Dict[str, float]:
    """Returns the scores in percent under mmdet3d's names, such as KITTI/Car_3D_AP40_moderate_strict.

    Beside them stands the average orientation similarity, as KITTI/Car_AOS_AP40_moderate_strict.

    Args:
        truth: per frame `name`, `bbox` (px), `location`, `dimensions` (l, h, w), `rotation_y`, `alpha`,
            `truncated`, `occluded`.
        found: per frame the same with `score`.
        classes: some of Car, Pedestrian, Cyclist.
        kinds: some of 2D, BEV, 3D.

    Raises:
        ValueError: if a class has no overlap in KITTI, or frames are missing.
    """
    unknown = [name for name in classes if name not in MIN_OVERLAPS]
    if unknown or len(truth) != len(found):
        raise ValueError(f'KITTI scores {", ".join(MIN_OVERLAPS)}, frame by frame; got {", ".join(classes)} '
                         f'and {len(found)} frames of results for {len(truth)} of ground truth')
    scores: Dict[str, float] = {}
    overlaps = {kind: [_overlaps(objects, boxes, kind) for objects, boxes in zip(truth, found)]
                for kind in kinds}
    for name in classes:
        for kind in kinds:
            for level, difficulty in enumerate(DIFFICULTIES):
                for strictness, least in MIN_OVERLAPS[name].items():
                    curve = _curve(truth, found, overlaps[kind], name, level, kind, least[KINDS.index(kind)])
                    for recalls, average in (('AP11', eleven), ('AP40', forty)):
                        end = f'{recalls}_{difficulty}_{strictness}'
                        scores[f'KITTI/{name}_{kind}_{end}'] = average(curve.precision)
                        if kind == '2D':
                            scores[f'KITTI/{name}_AOS_{end}'] = average(curve.similarity)
    if len(classes) > 1:
        for kind in kinds:
            for recalls in ('AP11', 'AP40'):
                for difficulty in DIFFICULTIES:
                    of_classes = [scores[f'KITTI/{name}_{kind}_{recalls}_{difficulty}_strict']
                                  for name in classes]
                    scores[f'KITTI/Overall_{kind}_{recalls}_{difficulty}'] = float(np.mean(of_classes))
    return scores


def eleven(values: Float[np.ndarray, ' 41']) -> float:
    """Returns the mean over the recalls 0, 0.1, ..., 1, in percent.

    Args:
        values: at the recalls 0, 1/40, ..., 1.
    """
    return float(values[::4].sum() / 11 * 100)


def forty(values: Float[np.ndarray, ' 41']) -> float:
    """Returns the mean over the recalls 1/40, ..., 1, in percent.

    Args:
        values: at the recalls 0, 1/40, ..., 1.
    """
    return float(values[1:].sum() / 40 * 100)


def _curve(truth: Sequence[Annotations], found: Sequence[Annotations], overlaps: Sequence[np.ndarray],
           name: str, level: int, kind: str, min_overlap: float) -> Curve:
    frames = [_frame(*one, name, level, kind, min_overlap) for one in zip(truth, found, overlaps)]
    n_objects = sum(int((frame.objects == COUNTS).sum()) for frame in frames)
    matched = [_best_scores(frame, min_overlap) for frame in frames]
    thresholds = _thresholds(np.concatenate(matched), n_objects)
    curve = Curve(np.zeros(N_RECALLS), np.zeros(N_RECALLS))
    for place, threshold in enumerate(thresholds):
        true, false, similarity = np.sum([_count(frame, min_overlap, threshold) for frame in frames], axis=0)
        if true + false:
            curve.precision[place] = true / (true + false)
            curve.similarity[place] = similarity / (true + false)
    return Curve(*(np.maximum.accumulate(one[::-1])[::-1] for one in (curve.precision, curve.similarity)))


def _frame(truth: Annotations, found: Annotations, overlaps: np.ndarray, name: str, level: int, kind: str,
           min_overlap: float) -> _Frame:
    own = np.char.lower(truth['name'].astype(str))
    is_own, is_alike = own == name.lower(), own == NEIGHBOURS.get(name, '').lower()
    heights_px = truth['bbox'][:, 3] - truth['bbox'][:, 1]
    is_too_hard = ((truth['occluded'] > MAX_OCCLUSION[level]) | (truth['truncated'] > MAX_TRUNCATION[level])
                   | (heights_px <= MIN_HEIGHT_PX[level]))
    objects = np.where(is_own & ~is_too_hard, COUNTS, np.where(is_alike | is_own, IGNORED, OTHER))
    is_low = np.abs(found['bbox'][:, 3] - found['bbox'][:, 1]) < MIN_HEIGHT_PX[level]
    is_class = np.char.lower(found['name'].astype(str)) == name.lower()
    detections = np.where(is_low, IGNORED, np.where(is_class, COUNTS, OTHER))
    in_dont_care = np.zeros(len(detections), bool)
    if kind == '2D':
        shared, area, _ = _shared_px(found['bbox'], truth['bbox'][truth['name'] == DONT_CARE])
        in_dont_care = (shared > min_overlap * area[:, None]).any(1)
    return _Frame(overlaps, objects, detections, found['score'], in_dont_care,
                  truth['alpha'][None] - found['alpha'][:, None])


def _best_scores(frame: _Frame, min_overlap: float) -> Float[np.ndarray, ' m']:
    """Returns the score of the best scored detection that each object takes."""
    is_free, scores = frame.detections != OTHER, []
    for index in np.flatnonzero(frame.objects != OTHER):
        fits = is_free & (frame.overlaps[:, index] > min_overlap)
        if fits.any():
            best = int(np.argmax(np.where(fits, frame.scores, -np.inf)))
            is_free[best] = False
            if frame.objects[index] == COUNTS and frame.detections[best] == COUNTS:
                scores.append(frame.scores[best])
    return np.array(scores)


def _thresholds(scores: Float[np.ndarray, ' m'], n_objects: int) -> List[float]:
    """Returns the scores at which recall comes nearest to 0, 1/40, ..., 1."""
    thresholds, recall = [], 0.0
    for place, score in enumerate(np.sort(scores)[::-1]):
        left = (place + 1) / n_objects
        is_last = place == len(scores) - 1
        right = left if is_last else (place + 2) / n_objects
        if is_last or right - recall >= recall - left:
            thresholds.append(float(score))
            recall += 1 / (N_RECALLS - 1)
    return thresholds


def _count(frame: _Frame, min_overlap: float, threshold: float) -> Tuple[float, float, float]:
    """Returns true and false positives at a threshold, and the similarity of the true ones' orientations."""
    is_above = frame.scores >= threshold
    is_free = is_above & (frame.detections != OTHER)
    true, similarity = 0, 0.0
    for index in np.flatnonzero(frame.objects != OTHER):
        taken = _taken(frame, frame.overlaps[:, index], is_free, min_overlap)
        if taken == NONE:
            continue
        is_free[taken] = False
        if frame.objects[index] == COUNTS and frame.detections[taken] == COUNTS:
            true += 1
            similarity += (1 + np.cos(frame.turned_rad[taken, index])) / 2
    is_false = is_free & (frame.detections == COUNTS) & ~frame.in_dont_care
    return true, float(is_false.sum()), similarity


def _taken(frame: _Frame, overlaps: Float[np.ndarray, ' d'], is_free: Bool[np.ndarray, ' d'],
           min_overlap: float) -> int:
    fits = is_free & (overlaps > min_overlap)
    counting = fits & (frame.detections == COUNTS)
    if counting.any():
        return int(np.argmax(np.where(counting, overlaps, -np.inf)))
    return int(np.flatnonzero(fits)[0]) if fits.any() else NONE


def _overlaps(truth: Annotations, found: Annotations, kind: str) -> Float[np.ndarray, 'd o']:
    if kind == '2D':
        shared, area, other_area = _shared_px(found['bbox'], truth['bbox'])
        return np.divide(shared, area[:, None] + other_area - shared,
                         out=np.zeros_like(shared), where=shared > 0)
    return rotated_overlaps(_upright(found), _upright(truth), with_height=kind == '3D')


def _shared_px(boxes: Float[np.ndarray, 'n 4'], others: Float[np.ndarray, 'm 4']
               ) -> Tuple[Float[np.ndarray, 'n m'], Float[np.ndarray, ' n'], Float[np.ndarray, ' m']]:
    """Returns the shared areas and the areas of both."""
    low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    areas = [(box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]) for box in (boxes, others)]
    return (high - low).clip(0).prod(-1), areas[0], areas[1]


def _upright(boxes: Annotations) -> Float[np.ndarray, 'n 7']:
    """Returns the boxes in a frame whose z points up: the camera's x, z, -y."""
    x, y, z = boxes['location'].astype(np.float64).reshape(-1, 3).T
    length, height, width = boxes['dimensions'].astype(np.float64).reshape(-1, 3).T
    yaw = -boxes['rotation_y'].astype(np.float64)
    return np.stack([x, z, height / 2 - y, length, width, height, yaw], axis=1)
