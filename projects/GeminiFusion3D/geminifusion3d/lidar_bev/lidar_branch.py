"""The LiDAR branch: points -> voxels -> sparse encoder -> LiDAR BEV."""
from typing import Any, Dict, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_mean import voxel_mean


@MODELS.register_module(name='GeminiLidarBranch')
class LidarBranch(BaseModule):
    """Encodes a batch of point clouds of any size, empty ones included.

    Args:
        bev_grid: the model's grid.
        voxel_m: voxel size along x, y, z.
        encoder: a GeminiSparseEncoder without grid and voxel size, which it gets from here.
    """

    def __init__(self, *, bev_grid: BEVGrid, voxel_m: Sequence[float], encoder: Dict[str, Any]) -> None:
        super().__init__()
        self.bev_grid = bev_grid
        self.voxel_m = tuple(voxel_m)
        self.encoder = MODELS.build({**encoder, 'bev_grid': bev_grid, 'voxel_m': self.voxel_m})

    def forward(self, points: Sequence[Tensor]) -> Tensor:
        """Returns the LiDAR BEV (B, C, Y, X).

        Args:
            points: one (N_i, F) cloud a sample: x, y, z in metres in the LiDAR frame, then features.
        """
        with torch.autocast(points[0].device.type, enabled=False):
            features, coordinates = voxel_mean(
                points, self.bev_grid.range_m, self.voxel_m, self.encoder.n_voxels_xyz)
            bev = self.encoder(self._scaled(features), coordinates, len(points))
        return bev.contiguous(memory_format=torch.channels_last)

    def _scaled(self, features: Tensor) -> Tensor:
        """Brings positions into [-1, 1] and intensity into [0, 1]: raw metres slow training down."""
        low, high = features.new_tensor(self.bev_grid.range_m).chunk(2)
        position = (features[:, :3] - (low + high) / 2) / ((high - low) / 2)
        return torch.cat([position, features[:, 3:4] / 255, features[:, 4:]], dim=1)
