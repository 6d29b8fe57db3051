"""The simplest voxel encoder: a voxel is the mean of its points.

Source: mmdet3d 1.4.0 HardSimpleVFE and DynamicSimpleVFE.
"""
from jaxtyping import Float
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_groups import VoxelGroups
from ..ops.voxel_mean import mean_per_voxel
from .point_scale import scale_points


@MODELS.register_module(name='GeminiVoxelMean')
class VoxelFeatureMean(nn.Module):
    """Averages the point features of each voxel.

    Args:
        bev_grid: the grid that features are scaled by.
        scale_features: scale the mean, else leave metres and raw intensity.
    """

    def __init__(self, *, bev_grid: BEVGrid, scale_features: bool) -> None:
        super().__init__()
        self.bev_grid, self.scale_features = bev_grid, scale_features

    def forward(self, groups: VoxelGroups) -> Float[Tensor, 'm f']:
        """Returns the features of the voxels.

        Args:
            groups: points in voxels.
        """
        mean = mean_per_voxel(groups.points, groups)
        return scale_points(mean, self.bev_grid) if self.scale_features else mean
