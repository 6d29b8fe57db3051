"""The LiDAR branch: points -> voxels -> voxel encoder -> encoder -> LiDAR BEV.

Each part can be exchanged: dynamic or hard voxels; their mean or a pillar network; sparse or pillar
encoder.
"""
from typing import Any, Dict, Optional, Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_groups import VoxelGroups, group_points, keep_first


@MODELS.register_module(name='GeminiDynamicVoxelization')
class DynamicVoxelization(nn.Module):
    """Keeps every point inside the grid's range.

    Args:
        bev_grid: whose range counts.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.
    """

    def __init__(self, *, bev_grid: BEVGrid, voxel_m: Sequence[float],
                 n_voxels_xyz: Tuple[int, int, int]) -> None:
        super().__init__()
        self.bev_grid, self.voxel_m, self.n_voxels_xyz = bev_grid, tuple(voxel_m), n_voxels_xyz

    def forward(self, points: Sequence[Float[Tensor, '_ f']]) -> VoxelGroups:
        """Returns the points in their voxels.

        Args:
            points: per sample one cloud of x, y, z in metres and features.
        """
        return group_points(points, self.bev_grid.range_m, self.voxel_m, self.n_voxels_xyz)


@MODELS.register_module(name='GeminiHardVoxelization')
class HardVoxelization(DynamicVoxelization):
    """Keeps the first points of the first voxels, as mmcv's Voxelization, used for published weights.

    Args:
        max_points: most points per voxel.
        max_voxels: most voxels per cloud, in training and in evaluation.
        bev_grid: whose range counts.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.

    Raises:
        ValueError: if a limit is not positive, or max_voxels is no pair.
    """

    def __init__(self, *, max_points: int, max_voxels: Sequence[int], bev_grid: BEVGrid,
                 voxel_m: Sequence[float], n_voxels_xyz: Tuple[int, int, int]) -> None:
        super().__init__(bev_grid=bev_grid, voxel_m=voxel_m, n_voxels_xyz=n_voxels_xyz)
        if len(max_voxels) != 2 or min(max_points, *max_voxels) < 1:
            raise ValueError('hard voxelisation needs max_points >= 1 and max_voxels as a pair (training, '
                             f'evaluation) >= 1, got max_points={max_points}, max_voxels={max_voxels}')
        self.max_points, self.max_voxels = max_points, tuple(max_voxels)

    def forward(self, points: Sequence[Float[Tensor, '_ f']]) -> VoxelGroups:
        """Returns the first points in their voxels.

        Args:
            points: per sample one cloud of x, y, z in metres and features.
        """
        max_voxels = self.max_voxels[0 if self.training else 1]
        return keep_first(super().forward(points), self.max_points, max_voxels)


@MODELS.register_module(name='GeminiLidarBranch')
class LidarBranch(BaseModule):
    """Encodes a batch of point clouds of any size, empty ones included.

    Args:
        bev_grid: the model's grid.
        voxel_m: voxel size along x, y, z.
        encoder: config of voxels -> map; bev_grid and voxel_m are added here.
        voxelization: config of points -> voxels, likewise; GeminiDynamicVoxelization by default.
        voxel_encoder: config of voxels -> features, likewise; GeminiVoxelMean by default.
        scale_features: positions in [-1, 1] and intensity in [0, 1] instead of raw values. Published
            weights expect raw ones.
    """

    def __init__(self, *, bev_grid: BEVGrid, voxel_m: Sequence[float], encoder: Dict[str, Any],
                 voxelization: Optional[Dict[str, Any]] = None,
                 voxel_encoder: Optional[Dict[str, Any]] = None, scale_features: bool = True) -> None:
        super().__init__()
        self.voxel_m = tuple(voxel_m)
        place = dict(bev_grid=bev_grid, voxel_m=self.voxel_m)
        self.encoder = MODELS.build({**encoder, **place})
        self.voxelization = MODELS.build({
            **(voxelization or dict(type='GeminiDynamicVoxelization')), **place,
            'n_voxels_xyz': self.encoder.n_voxels_xyz})
        self.voxel_encoder = MODELS.build({
            **(voxel_encoder or dict(type='GeminiVoxelMean')), 'bev_grid': bev_grid,
            'scale_features': scale_features})

    def forward(self, points: Sequence[Float[Tensor, '_ f']]) -> Float[Tensor, 'b c y x']:
        """Returns the LiDAR BEV.

        Args:
            points: per sample one cloud: x, y, z in metres in the LiDAR frame, then features.
        """
        with torch.autocast(points[0].device.type, enabled=False):
            groups = self.voxelization([cloud.float() for cloud in points])
            features = self.voxel_encoder(groups)
        bev = self.encoder(features, groups.coordinates_bzyx, len(points))
        return bev.contiguous(memory_format=torch.channels_last)
