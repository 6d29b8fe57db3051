"""Hard voxelisation: at most so many points in a voxel and so many voxels in a cloud, first come
first served.

The rule of SECOND (Yan et al., Sensors 2018) and of mmcv's Voxelization, with which the published
weights of CenterPoint and BEVFusion were trained. A voxel counts from its first point on; what comes
when the cloud has its voxels, or the voxel its points, is dropped.
"""
import torch
from jaxtyping import Int
from torch import Tensor

from .voxel_groups import VoxelGroups, group_equal


def keep_first(groups: VoxelGroups, max_points: int, max_voxels: int) -> VoxelGroups:
    """Returns the groups within the two limits.

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
