"""The voxel encoder of PointPillars: a small network on every point, then the maximum of a pillar.

Source: mmdet3d 1.4.0 DynamicPillarFeatureNet (PointPillars, Lang et al., CVPR 2019), whose weights
fit. Delta: no compiled operator, empty clouds anywhere in the batch, any number of layers.
"""
from typing import Sequence

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_groups import VoxelGroups
from ..ops.voxel_max import max_per_voxel
from ..ops.voxel_mean import mean_per_voxel
from .few_rows_norm import FewRowsNorm
from .point_scale import scale_points

# Offsets of a point from the mean of its pillar and from the pillar's middle, x, y, z each.
OFFSET_CHANNELS = 6


@MODELS.register_module(name='GeminiPillarFeatureNet')
class PillarFeatureNet(BaseModule):
    """Decorates points with their offsets inside the pillar and encodes the pillar.

    Args:
        in_channels: features of a point.
        channels: of each layer; a layer but the last sees its pillar's maximum beside the point.
        bev_grid: the grid that features are scaled by.
        scale_features: scale the point features, else leave metres and raw intensity.
        norm_momentum: of the batch norms' running statistics; raise it for a very short training.
    """

    def __init__(self, *, in_channels: int, channels: Sequence[int], bev_grid: BEVGrid,
                 scale_features: bool, norm_momentum: float = 0.01) -> None:
        super().__init__()
        self.bev_grid, self.scale_features = bev_grid, scale_features
        widths = [in_channels + OFFSET_CHANNELS, *(2 * width for width in channels[:-1])]
        self.pfn_layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width_in, width_out, bias=False),
                          FewRowsNorm(width_out, eps=1e-3, momentum=norm_momentum),
                          nn.ReLU(inplace=True))
            for width_in, width_out in zip(widths, channels))

    def forward(self, groups: VoxelGroups) -> Float[Tensor, 'm c']:
        """Returns the features of the pillars.

        Args:
            groups: points in pillars.
        """
        features = self._decorate(groups)
        *hidden, last = self.pfn_layers
        for layer in hidden:
            features = layer(features)
            pillars = max_per_voxel(features, groups)
            features = torch.cat([features, pillars[groups.voxel_of_point]], dim=1)
        return max_per_voxel(last(features), groups)

    def _decorate(self, groups: VoxelGroups) -> Float[Tensor, 'p f']:
        position = groups.points[:, :3]
        mean = mean_per_voxel(position, groups)[groups.voxel_of_point]
        centre = groups.centres_m[groups.voxel_of_point]
        own = scale_points(groups.points, self.bev_grid) if self.scale_features else groups.points
        return torch.cat([own, position - mean, position - centre], dim=1)
