"""Upright boxes as solids: which points they contain, which of them overlap.

Boxes are (x, y, z, l, w, h, yaw, ...) with z at the bottom, as mmdet3d's LiDARInstance3DBoxes.
"""
from typing import List

import numpy as np
from jaxtyping import Bool, Float, Int

from .ground_squares import GroundSquares, is_on_plan


def points_in_boxes(points_m: Float[np.ndarray, 'n 3'], boxes: Float[np.ndarray, 'm d']
                    ) -> List[Int[np.ndarray, '...']]:
    """Returns for each box the indices of the points inside it, in their order.

    Most points are far from all boxes: only pairs of a point and a box near it are looked at closely.

    Args:
        points_m: x, y, z.
        boxes: bottom-centre boxes in the points' frame; points on a face are outside.
    """
    if len(boxes) == 0:
        return []
    boxes = boxes.astype(np.float64)
    point_of, box_of = GroundSquares(boxes).pairs(points_m)
    offset_m = points_m[point_of] - boxes[box_of, :3]
    is_inside = (is_on_plan(offset_m[:, :2], boxes, box_of)
                 & (offset_m[:, 2] > 0) & (offset_m[:, 2] < boxes[box_of, 5]))
    point_of, box_of = point_of[is_inside], box_of[is_inside]
    by_box = np.argsort(box_of, kind='stable')
    return np.split(point_of[by_box], np.searchsorted(box_of[by_box], np.arange(1, len(boxes))))


def boxes_overlap(boxes: Float[np.ndarray, 'n d'], others: Float[np.ndarray, 'm d']
                  ) -> Bool[np.ndarray, 'n m']:
    """Returns which boxes overlap seen from above; those that only touch do not.

    Two convex shapes are apart if and only if an axis of one of them separates them.

    Args:
        boxes: bottom-centre boxes.
        others: bottom-centre boxes in the same frame.
    """
    boxes, others = boxes.astype(np.float64), others.astype(np.float64)
    apart_m = others[None, :, :2] - boxes[:, None, :2]
    axes, other_axes = _axes(boxes), _axes(others)
    half_m, other_half_m = boxes[:, 3:5] / 2, others[:, 3:5] / 2
    # How much of each side of one box shows along each axis of the other: (n, m, axis, other axis).
    shows = np.abs(np.einsum('nak,mbk->nmab', axes, other_axes))
    on_axes = np.abs(np.einsum('nmk,nak->nma', apart_m, axes))
    on_other_axes = np.abs(np.einsum('nmk,mbk->nmb', apart_m, other_axes))
    reach_m = half_m[:, None] + np.einsum('nmab,mb->nma', shows, other_half_m)
    other_reach_m = other_half_m[None] + np.einsum('nmab,na->nmb', shows, half_m)
    return ~((on_axes >= reach_m).any(axis=2) | (on_other_axes >= other_reach_m).any(axis=2))


def _axes(boxes: Float[np.ndarray, 'n d']) -> Float[np.ndarray, 'n 2 2']:
    """Returns the unit vectors along and across each box."""
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    return np.stack([np.stack([cos, sin], axis=1), np.stack([-sin, cos], axis=1)], axis=1)
