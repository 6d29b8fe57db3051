"""Voxel encoders: the points of each voxel become its features, by their mean or by a pillar network."""
from typing import Optional, Sequence

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid
from ..ops.device_constants import constant_like
from ..ops.voxel_groups import VoxelGroups, max_per_voxel, mean_per_voxel

MAX_INTENSITY = 255
# Offsets of a point from its pillar's mean and from the pillar's middle, x, y, z each.
OFFSET_CHANNELS = 6


@MODELS.register_module(name='GeminiVoxelNorm')
class VoxelNorm(nn.BatchNorm1d):
    """BatchNorm1d, except that fewer than two rows are normalised by the running statistics.

    A cloud may leave one voxel, or none. One row has no variance, so torch refuses it in training; its
    statistics would also count as much as those of a full batch.
    """

    def forward(self, features: Float[Tensor, 'm c']) -> Float[Tensor, 'm c']:
        """Returns the normalised rows.

        Args:
            features: any number of rows, also none.
        """
        if len(features) > 1 or not self.training:
            return super().forward(features)
        return F.batch_norm(features, self.running_mean, self.running_var, self.weight, self.bias,
                            training=False, eps=self.eps)


@MODELS.register_module(name='GeminiVoxelMean')
class VoxelFeatureMean(nn.Module):
    """Averages the point features of each voxel, as mmdet3d's HardSimpleVFE and DynamicSimpleVFE.

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


@MODELS.register_module(name='GeminiPillarFeatureNet')
class PillarFeatureNet(BaseModule):
    """Adds to each point its offsets inside the pillar, encodes it, and takes the maximum of each pillar.

    Source: mmdet3d 1.4.0 DynamicPillarFeatureNet (PointPillars, Lang et al., CVPR 2019), whose weights fit.
    Differences: no compiled operator, empty clouds anywhere in the batch, any number of layers.

    Args:
        in_channels: features of a point.
        channels: of each layer; each but the last appends its pillar's maximum to every point.
        bev_grid: the grid that features are scaled by.
        scale_features: scale the point features, else leave metres and raw intensity.
        feature_scales: what becomes 1 of the features behind x, y, z, the first of them first.
        norm_momentum: momentum of the batch norms' running statistics; raise it for a very short training.
        padded_to: for weights of mmdet3d's PillarFeatureNet, which fills each pillar up to so many points
            with zeros and counts them in the maximum; None counts points only. Its batch norm counts them
            in training too, which this one does not.
    """

    def __init__(self, *, in_channels: int, channels: Sequence[int], bev_grid: BEVGrid,
                 scale_features: bool, feature_scales: Sequence[float] = (MAX_INTENSITY, ),
                 norm_momentum: float = 0.01, padded_to: Optional[int] = None) -> None:
        super().__init__()
        if padded_to is not None and len(channels) != 1:
            raise ValueError(f'padded_to is for pillar networks of one layer, got channels={list(channels)}; '
                             'expected padded_to=None')
        self.padded_to = padded_to
        self.bev_grid, self.scale_features, self.feature_scales = bev_grid, scale_features, feature_scales
        widths = [in_channels + OFFSET_CHANNELS, *(2 * width for width in channels[:-1])]
        self.pfn_layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width_in, width_out, bias=False),
                          VoxelNorm(width_out, eps=1e-3, momentum=norm_momentum),
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
        pillars = max_per_voxel(last(features), groups)
        if self.padded_to is None:
            return pillars
        is_padded = (groups.offsets.diff() < self.padded_to).unsqueeze(1)
        # One row: VoxelNorm takes the running statistics for it.
        padding = last(features.new_zeros(1, features.shape[1]))
        return torch.where(is_padded, torch.maximum(pillars, padding), pillars)

    def _decorate(self, groups: VoxelGroups) -> Float[Tensor, 'p f']:
        own = groups.points
        if self.scale_features:
            own = scale_points(own, self.bev_grid, self.feature_scales)
        return torch.cat([own, offsets_in_voxel_m(groups)], dim=1)


def offsets_in_voxel_m(groups: VoxelGroups) -> Float[Tensor, 'p 6']:
    """Returns each point's offset from its voxel's mean and from the voxel's middle, x, y, z each."""
    position = groups.points[:, :3]
    mean = mean_per_voxel(position, groups)[groups.voxel_of_point]
    return torch.cat([position - mean, position - groups.centres_m[groups.voxel_of_point]], dim=1)


def scale_points(points: Float[Tensor, 'n f'], bev_grid: BEVGrid,
                 feature_scales: Sequence[float] = (MAX_INTENSITY, )) -> Float[Tensor, 'n f']:
    """Brings positions into [-1, 1] and intensity into [0, 1], because raw values slow training down.

    Args:
        points: x, y, z in metres, intensity up to 255, then any further features, which stay as they are.
        bev_grid: whose range becomes [-1, 1].
        feature_scales: what becomes 1 of the features behind x, y, z, the first of them first.
    """
    low_m, high_m = constant_like(bev_grid.range_m, points).chunk(2)
    position = (points[:, :3] - (low_m + high_m) / 2) / ((high_m - low_m) / 2)
    scaled = [points[:, 3 + index:4 + index] / scale for index, scale in enumerate(feature_scales)]
    return torch.cat([position, *scaled, points[:, 3 + len(scaled):]], dim=1)
