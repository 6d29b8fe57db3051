"""Hard voxelisation: at most so many points in a voxel and so many voxels in a cloud, first come first
served.

The rule of SECOND (Yan et al., Sensors 2018) and of mmcv's Voxelization, with which the published
weights of CenterPoint and BEVFusion were trained. A voxel counts from its first point on; what comes
when the cloud has its voxels, or the voxel its points, is dropped.
"""
import torch
from torch import Tensor

from .voxel_groups import VoxelGroups


def keep_first(groups: VoxelGroups, max_points: int, max_voxels: int) -> VoxelGroups:
    """Returns the groups within the two limits.

    Args:
        groups: every point of the batch in its voxel.
        max_points: most points of a voxel.
        max_voxels: most voxels of a cloud.
    """
    is_kept_voxel = _arrival_of_voxels(groups) < max_voxels
    is_kept_point = ((rank_in_group(groups.voxel_of_point) < max_points)
                     & is_kept_voxel[groups.voxel_of_point])
    new_row = is_kept_voxel.cumsum(0) - 1
    return VoxelGroups(groups.points[is_kept_point],
                       new_row[groups.voxel_of_point[is_kept_point]],
                       groups.coordinates_bzyx[is_kept_voxel], groups.centres_m[is_kept_voxel])


def rank_in_group(group: Tensor) -> Tensor:
    """Counts, for each element, the earlier elements of its group.

    Args:
        group: (N,) int64, the group of each element, not negative.
    """
    order = group.argsort(stable=True)
    sizes = torch.bincount(group)
    first = (sizes.cumsum(0) - sizes)[group[order]]
    rank = torch.empty_like(group)
    rank[order] = torch.arange(len(group), device=group.device) - first
    return rank


def _arrival_of_voxels(groups: VoxelGroups) -> Tensor:
    """Numbers the voxels of each cloud in the order in which their first points come."""
    n_points = len(groups.points)
    position = torch.arange(n_points, device=groups.points.device)
    n_voxels = len(groups.coordinates_bzyx)
    first_point = position.new_full((n_voxels,), n_points).scatter_reduce(
        0, groups.voxel_of_point, position, reduce='amin')
    by_arrival = first_point.argsort()
    arrival = torch.empty_like(first_point)
    arrival[by_arrival] = rank_in_group(groups.coordinates_bzyx[by_arrival, 0])
    return arrival
