"""The mean of what stands in each voxel."""
import torch
from torch import Tensor

from .voxel_groups import VoxelGroups


def mean_per_voxel(values: Tensor, groups: VoxelGroups) -> Tensor:
    """Averages the rows of each voxel's points.

    Args:
        values: (P, C) one row a point of the groups.
        groups: points in voxels.

    Returns:
        (M, C) one row a voxel.
    """
    n_voxels = len(groups.coordinates_bzyx)
    count = torch.bincount(groups.voxel_of_point, minlength=n_voxels)
    total = values.new_zeros(n_voxels, values.shape[1]).index_add_(0, groups.voxel_of_point, values)
    return total / count.unsqueeze(1)
