"""The area that two turned rectangles share: all that non-maximum suppression and overlaps need of clipping.

mmcv's box_iou_rotated gives the same from a compiled operator. Here the first rectangle, in the frame of the
second, whose sides are then those of the axes, is pressed into the second: the outline gets its crossings
with the sides as corners, then every coordinate is limited. What was outside becomes a line on a side and
encloses no area, so that no corner has to be sorted out or put in order.
"""
import torch
from jaxtyping import Float
from torch import Tensor


def common_area_m2(first: Float[Tensor, 'p 5'], second: Float[Tensor, 'p 5']) -> Float[Tensor, ' p']:
    """Returns the shared area of pairs of rectangles; differentiable, of the precision of its input.

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
