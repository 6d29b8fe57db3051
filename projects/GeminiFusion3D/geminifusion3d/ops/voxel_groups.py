"""Sorts points into voxels, for a batch of clouds of any size, and takes means and maxima per voxel."""
from typing import NamedTuple, Sequence, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from .device_constants import constant_like


class VoxelGroups(NamedTuple):
    """The points of a batch and the voxels that hold at least one of them.

    Attributes:
        points: (P, F) the points inside the range, sample after sample, in their given order.
        voxel_of_point: (P,) int64 row of each point's voxel.
        coordinates_bzyx: (M, 4) int64 batch, z, y, x of each voxel, sorted.
        centres_m: (M, 3) x, y, z of the middle of each voxel.
        by_voxel: (P,) int64 rows of the points, voxel after voxel, inside a voxel in their given order.
        offsets: (M + 1,) int64 where each voxel's points begin in by_voxel, and where the last end.
    """

    points: Float[Tensor, 'p f']
    voxel_of_point: Int[Tensor, ' p']
    coordinates_bzyx: Int[Tensor, 'm 4']
    centres_m: Float[Tensor, 'm 3']
    by_voxel: Int[Tensor, ' p']
    offsets: Int[Tensor, ' m+1']


def group_points(points: Sequence[Float[Tensor, '_ f']], range_m: Sequence[float], voxel_m: Sequence[float],
                 n_voxels_xyz: Tuple[int, int, int]) -> VoxelGroups:
    """Finds the voxel of every point; empty clouds are welcome, also alone.

    Args:
        points: one (N_i, F) tensor a sample, the first three columns x, y, z in metres.
        range_m: (x_min, y_min, z_min, x_max, y_max, z_max); points outside are dropped.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.
    """
    merged = torch.cat(list(points))
    inside = _inside(merged, range_m)
    merged = merged.index_select(0, inside)
    low, voxel = constant_like(range_m[:3], merged), constant_like(voxel_m, merged)
    n_x, n_y, n_z = n_voxels_xyz
    # Half as wide integers are sorted in half the time.
    dtype = torch.int32 if len(points) * n_x * n_y * n_z < 2 ** 31 else torch.int64
    sizes = [len(cloud) for cloud in points]
    batch = torch.cat([inside.new_full((size,), sample, dtype=dtype) for sample, size in enumerate(sizes)])
    index = ((merged[:, :3].T - low.unsqueeze(1)) / voxel.unsqueeze(1)).to(dtype)
    # Division may round a point just below the upper edge up to it.
    x, y, z = (axis.clamp(max=count - 1) for axis, count in zip(index, n_voxels_xyz))
    key = ((batch.index_select(0, inside) * n_z + z) * n_y + y) * n_x + x
    by_voxel, voxel_of_point, offsets = group_equal(key)
    coordinates_bzyx = _unravel(key.index_select(0, by_voxel.index_select(0, offsets[:-1])), n_voxels_xyz)
    centres_m = low + (coordinates_bzyx[:, 1:].flip(1) + 0.5) * voxel
    return VoxelGroups(merged, voxel_of_point, coordinates_bzyx, centres_m, by_voxel, offsets)


def group_equal(key: Int[Tensor, ' p']
                ) -> Tuple[Int[Tensor, ' p'], Int[Tensor, ' p'], Int[Tensor, ' g_plus_1']]:
    """Groups equal keys, the groups in the order of their keys.

    Args:
        key: (P,) integers.

    Returns:
        (P,) the elements group after group, inside a group in their order; (P,) the group of each element;
        (G + 1,) where the elements of each group begin, and where the last end. All int64.
    """
    # A stable sort keeps the order of points, and so that in which they are summed.
    sorted_key, order = key.sort(stable=True)
    is_first = torch.ones_like(sorted_key, dtype=torch.bool)
    torch.ne(sorted_key[1:], sorted_key[:-1], out=is_first[1:])
    begin = is_first.nonzero().squeeze(1)
    group = torch.empty_like(order).index_copy_(0, order, is_first.cumsum(0) - 1)
    return order, group, torch.cat([begin, begin.new_full((1,), len(key))])


def mean_per_voxel(values: Float[Tensor, 'p c'], groups: VoxelGroups) -> Float[Tensor, 'm c']:
    """Average the rows of each voxel's points, always summed in the order of the points.

    Args:
        values: (P, C) floating-point, one row per point of the groups.
        groups: points in voxels.

    Returns:
        (M, C) one row per voxel.
    """
    total = F.embedding_bag(groups.by_voxel, values, groups.offsets, mode='sum', include_last_offset=True)
    return total / groups.offsets.diff().unsqueeze(1)


def max_per_voxel(values: Float[Tensor, 'p c'], groups: VoxelGroups) -> Float[Tensor, 'm c']:
    """Take the largest value of each voxel's points; differentiable.

    Args:
        values: (P, C) one row per point of the groups.
        groups: points in voxels.

    Returns:
        (M, C) one row per voxel.
    """
    row = groups.voxel_of_point.unsqueeze(1).expand_as(values)
    empty = values.new_zeros(len(groups.coordinates_bzyx), values.shape[1])
    return empty.scatter_reduce(0, row, values, reduce='amax', include_self=False)


def _inside(points: Float[Tensor, 'p f'], range_m: Sequence[float]) -> Int[Tensor, ' inside']:
    """Returns the rows of the points inside the range; the upper edges are outside."""
    is_inside = torch.ones(len(points), dtype=torch.bool, device=points.device)
    for axis, low_m, high_m in zip(points[:, :3].T, range_m[:3], range_m[3:]):
        is_inside &= (axis >= low_m) & (axis < high_m)
    return is_inside.nonzero().squeeze(1)


def _unravel(key: Int[Tensor, ' m'], n_voxels_xyz: Tuple[int, int, int]) -> Int[Tensor, 'm 4']:
    """Returns the (M, 4) batch, z, y, x of each voxel's key."""
    parts = []
    for count in n_voxels_xyz:
        rest = key // count
        parts.append(key - rest * count)
        key = rest
    return torch.stack([key, *reversed(parts)], dim=1).long()


def keep_first(groups: VoxelGroups, max_points: int, max_voxels: int) -> VoxelGroups:
    """Returns the groups within the two limits, first come first served: hard voxelisation.

    The rule of SECOND (Yan et al., Sensors 2018) and of mmcv's Voxelization, with which the published weights
    of CenterPoint and BEVFusion were trained. A voxel counts from its first point on; what comes when the
    cloud has its voxels, or the voxel its points, is dropped.

    Args:
        groups: every point of the batch in its voxel.
        max_points: most points of a voxel.
        max_voxels: most voxels of a cloud.
    """
    is_kept_voxel = _arrival_of_voxels(groups) < max_voxels
    is_kept_point = ((_ranks(groups.by_voxel, groups.voxel_of_point, groups.offsets) < max_points)
                     & is_kept_voxel[groups.voxel_of_point])
    new_row = is_kept_voxel.cumsum(0) - 1
    by_voxel, voxel_of_point, offsets = group_equal(new_row[groups.voxel_of_point[is_kept_point]])
    return VoxelGroups(groups.points[is_kept_point], voxel_of_point, groups.coordinates_bzyx[is_kept_voxel],
                       groups.centres_m[is_kept_voxel], by_voxel, offsets)


def rank_in_group(key: Int[Tensor, ' n']) -> Int[Tensor, ' n']:
    """Counts, for each element, the earlier elements of the same key.

    Args:
        key: (N,) integers.
    """
    return _ranks(*group_equal(key))


def _ranks(by_group: Int[Tensor, ' n'], group: Int[Tensor, ' n'], offsets: Int[Tensor, ' g_plus_1']
           ) -> Int[Tensor, ' n']:
    """Counts, for each element, the earlier elements of its group; see group_equal."""
    place = torch.arange(len(group), device=group.device)
    return torch.empty_like(place).index_copy_(0, by_group, place) - offsets[group]


def _arrival_of_voxels(groups: VoxelGroups) -> Int[Tensor, ' m']:
    """Numbers the voxels of each cloud in the order in which their first points come."""
    by_arrival = groups.by_voxel[groups.offsets[:-1]].argsort()
    arrival = torch.empty_like(by_arrival)
    arrival[by_arrival] = rank_in_group(groups.coordinates_bzyx[by_arrival, 0])
    return arrival
