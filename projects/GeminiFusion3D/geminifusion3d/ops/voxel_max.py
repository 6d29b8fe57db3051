"""The maximum of what stands in each voxel, channel by channel."""
from torch import Tensor

from .voxel_groups import VoxelGroups


def max_per_voxel(values: Tensor, groups: VoxelGroups) -> Tensor:
    """Takes the largest value of each voxel's points; differentiable.

    Args:
        values: (P, C) one row a point of the groups.
        groups: points in voxels.

    Returns:
        (M, C) one row a voxel.
    """
    row = groups.voxel_of_point.unsqueeze(1).expand_as(values)
    empty = values.new_zeros(len(groups.coordinates_bzyx), values.shape[1])
    return empty.scatter_reduce(0, row, values, reduce='amax', include_self=False)
