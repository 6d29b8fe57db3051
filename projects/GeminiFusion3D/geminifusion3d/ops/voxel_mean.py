"""Dynamic voxelisation: every point counts, each voxel holds the mean of its points."""
from typing import Sequence, Tuple

import torch
from torch import Tensor


def voxel_mean(points: Sequence[Tensor], range_m: Sequence[float], voxel_m: Sequence[float],
               n_voxels_xyz: Tuple[int, int, int]) -> Tuple[Tensor, Tensor]:
    """Averages the points of each voxel, for a batch of clouds of any size, empty ones included.

    Args:
        points: one (N_i, F) tensor a sample, the first three columns x, y, z in metres.
        range_m: (x_min, y_min, z_min, x_max, y_max, z_max); points outside are dropped.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.

    Returns:
        (M, F) mean features and (M, 4) int64 coordinates (batch, z, y, x), sorted by coordinate.
    """
    merged = torch.cat(list(points))
    batch = torch.cat([cloud.new_full((len(cloud),), i, dtype=torch.long)
                       for i, cloud in enumerate(points)])
    low, high = merged.new_tensor(range_m[:3]), merged.new_tensor(range_m[3:])
    is_inside = ((merged[:, :3] >= low) & (merged[:, :3] < high)).all(1)
    merged, batch = merged[is_inside], batch[is_inside]
    n_x, n_y, n_z = n_voxels_xyz
    last = torch.tensor([n_x - 1, n_y - 1, n_z - 1], device=merged.device)
    index_xyz = ((merged[:, :3] - low) / merged.new_tensor(voxel_m)).floor().long().minimum(last)
    key = ((batch * n_z + index_xyz[:, 2]) * n_y + index_xyz[:, 1]) * n_x + index_xyz[:, 0]
    voxel_key, voxel_of_point, count = key.unique(return_inverse=True, return_counts=True)
    total = merged.new_zeros(len(voxel_key), merged.shape[1]).index_add_(0, voxel_of_point, merged)
    coordinates = torch.stack([
        voxel_key // (n_x * n_y * n_z), voxel_key // (n_x * n_y) % n_z,
        voxel_key // n_x % n_y, voxel_key % n_x], dim=1)
    return total / count.unsqueeze(1), coordinates
