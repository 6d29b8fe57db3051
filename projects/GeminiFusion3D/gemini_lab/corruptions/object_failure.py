"""Objects that return no points, as black or wet ones do: the LiDAR sees through them.

As in nuScenes-R (see `limited_view`), "LiDAR Object Failure" with probability 0.5. The delta: each object
fails on its own, where the original draws once a keyframe and then removes all of them; and an object that
moves is gone from earlier sweeps too, where the original leaves a trail of it.
"""
from typing import Any, Dict

import numpy as np
import torch

from geminifusion3d.geometry.boxes import points_in_boxes
from geminifusion3d.sensors.load_points import with_tensor

from .strength import at

FAILURE_PROB = (0.25, 0.5, 0.75)
# Returns of an object lie on the faces of its box; none may stay for being a little outside.
MARGIN_M = 0.1
TIME_LAG = 4


def fail_objects(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the sample without the points of some annotated objects, whatever their category.

    Args:
        results: holds `instances` of the record and `points`, (N, 5) with the seconds before the keyframe.
        severity: 1, 2 or 3.
        rng: one draw an object.

    Raises:
        ValueError: if the record has no annotations.
    """
    if 'instances' not in results:
        raise ValueError('objects fail by their annotations, which this record lacks; take a split that has '
                         'them')
    is_failed = rng.random(len(results['instances'])) < at(severity, FAILURE_PROB)
    failed = [one for one, gone in zip(results['instances'], is_failed) if gone]
    boxes = np.array([one['bbox_3d'] for one in failed], dtype=np.float64).reshape(-1, 7)
    speeds_mps = np.nan_to_num(np.array([one['velocity'] for one in failed], dtype=np.float64).reshape(-1, 2))
    # To bottom centres; the ground below stays.
    boxes[:, 2] -= boxes[:, 5] / 2
    boxes[:, 3:6] += [2 * MARGIN_M, 2 * MARGIN_M, MARGIN_M]
    rows = results['points'].tensor.numpy()
    is_kept = np.ones(len(rows), dtype=bool)
    for lag_s in np.unique(rows[:, TIME_LAG]):
        of_sweep = np.flatnonzero(rows[:, TIME_LAG] == lag_s)
        then = boxes.copy()
        then[:, :2] -= speeds_mps * lag_s
        for inside in points_in_boxes(rows[of_sweep, :3], then):
            is_kept[of_sweep[inside]] = False
    return {**results, 'points': with_tensor(results['points'], torch.from_numpy(rows[is_kept]))}
