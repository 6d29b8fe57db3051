"""The mean of what stands in each voxel."""
from torch import Tensor
from torch.nn import functional as F

from .voxel_groups import VoxelGroups


def mean_per_voxel(values: Tensor, groups: VoxelGroups) -> Tensor:
    """Averages the rows of each voxel's points, always summed in the order of the points.

    Args:
        values: (P, C) floating-point, one row a point of the groups.
        groups: points in voxels.

    Returns:
        (M, C) one row a voxel.
    """
    total = F.embedding_bag(groups.by_voxel, values, groups.offsets, mode='sum', include_last_offset=True)
    return total / groups.offsets.diff().unsqueeze(1)
