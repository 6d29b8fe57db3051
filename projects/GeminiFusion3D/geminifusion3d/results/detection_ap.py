"""Average precision of any classes, without the devkit: by centre distance and by rotated overlap.

Centre distance is nuScenes' definition (detection README, "Average Precision metric"): predictions, best
score first, take the nearest free object of their class and sample; precision over 101 recalls, without
recalls up to 10 % and precision below 10 %. Overlap is the usual one (KITTI, Waymo): predictions take the
free object that they overlap most; the area under the precision that falls with recall.
"""
from typing import Tuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ..geometry.boxes import common_area_m2

# Centre x, y, z; length, width, height; yaw.
BOX_COLUMNS = 7
UNMATCHED = -1
RECALLS = np.linspace(0, 1, 101)
MIN_RECALL, MIN_PRECISION = 0.1, 0.1


def match_nearest(distance_m: Float[np.ndarray, 'n m'], threshold_m: float) -> Int[np.ndarray, ' n']:
    """Lets each prediction take the nearest free object.

    Args:
        distance_m: (N, M) between predictions, best score first, and objects of one class in one sample.
        threshold_m: a pair must be nearer than this.

    Returns:
        The object of each prediction, UNMATCHED where it has none.
    """
    object_of = np.full(len(distance_m), UNMATCHED)
    free_m = distance_m.copy()
    # Most predictions are near nothing; only the others are walked through.
    for index in np.flatnonzero((distance_m < threshold_m).any(axis=1)) if distance_m.shape[1] else ():
        nearest = int(np.argmin(free_m[index]))
        if free_m[index, nearest] < threshold_m:
            object_of[index] = nearest
            free_m[:, nearest] = np.inf
    return object_of


def distance_average_precision(scores: Float[np.ndarray, ' n'], is_match: Bool[np.ndarray, ' n'],
                               n_objects: int) -> float:
    """Returns nuScenes' average precision.

    Args:
        scores: of all predictions of one class; of equal ones the later comes first, as in the devkit.
        is_match: whether each took an object.
        n_objects: how many objects there are, above 0.

    Returns:
        The mean over recalls 11 % to 100 % of how far precision exceeds 10 %, as a share of 90 %.
    """
    precision, recall = _precision_recall(scores, is_match, n_objects)
    if not is_match.any():
        return 0.0
    precision = np.interp(RECALLS, recall, precision, right=0)[round(100 * MIN_RECALL) + 1:] - MIN_PRECISION
    return float(np.mean(np.maximum(precision, 0))) / (1.0 - MIN_PRECISION)


def overlap_average_precision(scores: Float[np.ndarray, ' n'], is_match: Bool[np.ndarray, ' n'],
                              n_objects: int) -> float:
    """Returns the area under the best precision that is reached at a recall or beyond it.

    Args:
        scores: of all predictions of one class; of equal ones the later comes first, as in the devkit.
        is_match: whether each took an object.
        n_objects: how many objects there are, above 0.

    Returns:
        The area, from 0 to 1.
    """
    precision, recall = _precision_recall(scores, is_match, n_objects)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def _precision_recall(scores: Float[np.ndarray, ' n'], is_match: Bool[np.ndarray, ' n'], n_objects: int
                      ) -> Tuple[Float[np.ndarray, ' n'], Float[np.ndarray, ' n']]:
    order = np.argsort(scores, kind='stable')[::-1]
    found = np.cumsum(is_match[order]).astype(float)
    return found / np.arange(1, len(order) + 1), found / float(n_objects)


def center_distances_m(boxes: Float[np.ndarray, 'n 7'], others: Float[np.ndarray, 'm 7']
                       ) -> Float[np.ndarray, 'n m']:
    """Returns the distances of centres in the ground plane.

    Args:
        boxes: centre x, y, z; length, width, height; yaw.
        others: as `boxes`.
    """
    return np.linalg.norm(boxes[:, None, :2] - others[None, :, :2], axis=2)


def rotated_overlaps(boxes: Float[np.ndarray, 'n 7'], others: Float[np.ndarray, 'm 7'], *,
                     with_height: bool = True) -> Float[np.ndarray, 'n m']:
    """Returns intersection over union of upright boxes that turn about z.

    Args:
        boxes: centre x, y, z; length, width, height; yaw.
        others: as `boxes`.
        with_height: of the volumes; else of the areas seen from above.

    Returns:
        The overlaps, from 0 to 1.
    """
    overlap = np.zeros((len(boxes), len(others)))
    reach_m = np.hypot(boxes[:, 3], boxes[:, 4])[:, None] / 2 + np.hypot(others[:, 3], others[:, 4]) / 2
    pairs = np.nonzero(center_distances_m(boxes, others) < reach_m)
    one, two = boxes[pairs[0]], others[pairs[1]]
    shared = common_area_m2(*(torch.from_numpy(box[:, [0, 1, 3, 4, 6]]) for box in (one, two))).numpy()
    size_one, size_two = one[:, 3] * one[:, 4], two[:, 3] * two[:, 4]
    if with_height:
        shared = shared * np.maximum(0.0, np.minimum(one[:, 2] + one[:, 5] / 2, two[:, 2] + two[:, 5] / 2)
                                     - np.maximum(one[:, 2] - one[:, 5] / 2, two[:, 2] - two[:, 5] / 2))
        size_one, size_two = size_one * one[:, 5], size_two * two[:, 5]
    overlap[pairs] = shared / (size_one + size_two - shared)
    return overlap
