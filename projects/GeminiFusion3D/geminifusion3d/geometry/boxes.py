"""Upright boxes as solids: which points they contain, which of them overlap.

Boxes are (x, y, z, l, w, h, yaw, ...) with z at the bottom, as mmdet3d's LiDARInstance3DBoxes.
"""
from typing import List

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def points_in_boxes(points_m: Float[np.ndarray, 'n 3'], boxes: Float[np.ndarray, 'm d']
                    ) -> List[Int[np.ndarray, '...']]:
    """Returns for each box the indices of the points inside it, in their order.

    Most points are far from all boxes: only those near a box along x, then along y, are looked at closely.

    Args:
        points_m: x, y, z.
        boxes: bottom-centre boxes in the points' frame; points on a face are outside.
    """
    boxes, found = boxes.astype(np.float64), []
    order = np.argsort(points_m[:, 0])
    x_m, y_m = points_m[order, :2].T.astype(np.float64)
    # From the centre to a corner, and a little for rounding.
    reach_m = np.hypot(boxes[:, 3], boxes[:, 4]) / 2 + 1e-3
    first, last = (np.searchsorted(x_m, boxes[:, 0] + side * reach_m) for side in (-1, 1))
    for box, near_m, begin, end in zip(boxes, reach_m, first, last):
        near = np.sort(order[begin:end][np.abs(y_m[begin:end] - box[1]) < near_m])
        x, y, z = (points_m[near, :3] - box[:3]).T
        half_length_m, half_width_m, height_m = box[3:6] * (0.5, 0.5, 1)
        cos, sin = np.cos(box[6]), np.sin(box[6])
        is_inside = ((np.abs(x * cos + y * sin) < half_length_m) & (np.abs(y * cos - x * sin) < half_width_m)
                     & (z > 0) & (z < height_m))
        found.append(near[is_inside])
    return found


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


def common_area_m2(first: Float[Tensor, 'p 5'], second: Float[Tensor, 'p 5']) -> Float[Tensor, ' p']:
    """Returns the shared area of pairs of rectangles; differentiable, of the precision of its input.

    All that non-maximum suppression and overlaps need of clipping; mmcv's box_iou_rotated gives the same from
    a compiled operator. Here the first rectangle, in the frame of the second, whose sides are then those of
    the axes, is pressed into the second: the outline gets its crossings with the sides as corners, then every
    coordinate is limited. What was outside becomes a line on a side and encloses no area, so that no corner
    has to be sorted out or put in order.

    Args:
        first: centre x, y, length, width, yaw.
        second: the other rectangle of each pair.
    """
    corners = first.new_tensor([[0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5], [0.5, -0.5]]) * first[:, None, 2:4]
    outline = _turned(corners, first[:, 4] - second[:, 4])
    outline = outline + _turned((first[:, :2] - second[:, :2])[:, None], -second[:, 4])
    for axis in (0, 1):
        outline = _pressed(outline, axis, second[:, 2 + axis, None] / 2)
    x, y = outline.unbind(-1)
    return (x * y.roll(-1, 1) - y * x.roll(-1, 1)).sum(1).abs() / 2


def _turned(points_m: Float[Tensor, 'p n 2'], turn_rad: Float[Tensor, ' p']) -> Float[Tensor, 'p n 2']:
    cos, sin = turn_rad.cos()[:, None], turn_rad.sin()[:, None]
    x, y = points_m.unbind(-1)
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def _pressed(outline: Float[Tensor, 'p n 2'], axis: int, limit_m: Float[Tensor, 'p 1']
             ) -> Float[Tensor, 'p k 2']:
    """Returns the outline, three times as many corners, with one coordinate between -limit and limit."""
    edge = outline.roll(-1, 1) - outline
    start, length = outline[..., axis], edge[..., axis]
    length = length.where(length != 0, length.new_ones(()))
    low, high = ((side - start) / length for side in (-limit_m, limit_m))
    # Where along the edge it has its corners; an edge that crosses nothing has the same one twice or thrice.
    share = torch.stack([torch.zeros_like(low), torch.minimum(low, high), torch.maximum(low, high)], dim=-1)
    corners = outline[:, :, None] + share.clamp(0, 1).unsqueeze(-1) * edge[:, :, None]
    corners = corners.flatten(1, 2)
    pressed = torch.minimum(torch.maximum(corners[..., axis], -limit_m), limit_m)
    other = corners[..., 1 - axis]
    return torch.stack([pressed, other] if axis == 0 else [other, pressed], dim=-1)
