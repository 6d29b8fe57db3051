"""The LiDAR branch: points -> voxels -> voxel encoder -> encoder -> LiDAR BEV.

Each part can be exchanged: dynamic or hard voxels; their mean or a pillar network; sparse or pillar
encoder.
"""
from typing import Any, Dict, Optional, Sequence

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..geometry.bev_grid import BEVGrid


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
        place = dict(bev_grid=bev_grid, voxel_m=tuple(voxel_m))
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
