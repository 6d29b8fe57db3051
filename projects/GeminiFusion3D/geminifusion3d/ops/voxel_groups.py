"""Sorts points into voxels: which points stand in which voxel, for a batch of clouds of any size."""
from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor


class VoxelGroups(NamedTuple):
    """The points of a batch and the voxels that hold at least one of them.

    Attributes:
        points: (P, F) the points inside the range, sample after sample, in their given order.
        voxel_of_point: (P,) int64 row of each point's voxel.
        coordinates_bzyx: (M, 4) int64 batch, z, y, x of each voxel, sorted.
        centres_m: (M, 3) x, y, z of the middle of each voxel.
    """

    points: Tensor
    voxel_of_point: Tensor
    coordinates_bzyx: Tensor
    centres_m: Tensor


def group_points(points: Sequence[Tensor], range_m: Sequence[float], voxel_m: Sequence[float],
                 n_voxels_xyz: Tuple[int, int, int]) -> VoxelGroups:
    """Finds the voxel of every point; empty clouds are welcome, also alone.

    Args:
        points: one (N_i, F) tensor a sample, the first three columns x, y, z in metres.
        range_m: (x_min, y_min, z_min, x_max, y_max, z_max); points outside are dropped.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.
    """
    merged = torch.cat(list(points))
    batch = torch.cat([cloud.new_full((len(cloud),), i, dtype=torch.long)
                       for i, cloud in enumerate(points)])
    low, high = merged.new_tensor(range_m[:3]), merged.new_tensor(range_m[3:])
    is_inside = ((merged[:, :3] >= low) & (merged[:, :3] < high)).all(1)
    merged, batch = merged[is_inside], batch[is_inside]
    n_x, n_y, n_z = n_voxels_xyz
    # Division may round a point just below the upper edge up to it.
    last = torch.tensor([n_x - 1, n_y - 1, n_z - 1], device=merged.device)
    voxel = merged.new_tensor(voxel_m)
    index_xyz = ((merged[:, :3] - low) / voxel).floor().long().minimum(last)
    key = ((batch * n_z + index_xyz[:, 2]) * n_y + index_xyz[:, 1]) * n_x + index_xyz[:, 0]
    voxel_key, voxel_of_point = key.unique(return_inverse=True)
    coordinates_bzyx = torch.stack([
        voxel_key // (n_x * n_y * n_z), voxel_key // (n_x * n_y) % n_z,
        voxel_key // n_x % n_y, voxel_key % n_x], dim=1)
    centres_m = low + (coordinates_bzyx[:, 1:].flip(1) + 0.5) * voxel
    return VoxelGroups(merged, voxel_of_point, coordinates_bzyx, centres_m)
