"""Dynamic voxels: points get features, layer by layer, that know the rest of their voxel and the picture.

Source: mmdet3d 1.4.0 DynamicVFE (Zhou et al., CoRL 2019); official KITTI branch, class DynamicVFE_modified
(at 8456609), which fuses after every layer. Weights of both fit. Here no compiled operator is needed.
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from jaxtyping import Float, Int
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..lidar_bev.voxel_encoders import OFFSET_CHANNELS, VoxelNorm, offsets_in_voxel_m
from ..ops.voxel_groups import VoxelGroups, group_points, max_per_voxel


@MODELS.register_module()
class GeminiDynamicVFE(nn.Module):
    """Encodes each point with its offsets in the voxel, then takes the maximum of each voxel.

    Args:
        in_channels: features of a point.
        feat_channels: of each layer; each but the last appends its voxel's maximum to every point.
        voxel_size: of a voxel along x, y, z in metres.
        point_cloud_range: x, y, z in metres, lowest corner first.
        fusion_layer: config of a PointFusion or GeminiPointFusion; None for points alone.
        fuse_every_layer: fuse behind each layer, as GeminiFusion does, and not only behind the last; a layer
            before the last has as many channels as its points.
        norm_momentum: momentum of the batch norms' running statistics; raise it for a very short training.

    Raises:
        ValueError: if there is no layer, or the voxels do not fill the range.
    """

    def __init__(self, *, in_channels: int, feat_channels: Sequence[int], voxel_size: Sequence[float],
                 point_cloud_range: Sequence[float], fusion_layer: Optional[Dict[str, Any]] = None,
                 fuse_every_layer: bool = False, norm_momentum: float = 0.01) -> None:
        super().__init__()
        if not feat_channels:
            raise ValueError('GeminiDynamicVFE needs at least one layer, got feat_channels=[]')
        self.voxel_size, self.range_m = tuple(voxel_size), tuple(point_cloud_range)
        self.n_voxels_xyz = _count_voxels(self.range_m, self.voxel_size)
        widths = [in_channels + OFFSET_CHANNELS, *(2 * width for width in feat_channels[:-1])]
        self.vfe_layers = nn.ModuleList(
            nn.Sequential(nn.Linear(width_in, width_out, bias=False),
                          VoxelNorm(width_out, eps=1e-3, momentum=norm_momentum), nn.ReLU(inplace=True))
            for width_in, width_out in zip(widths, feat_channels))
        # One layer or a list under one name: so are the weights of mmdet3d and of the official code called.
        self.fusion_layer: Optional[nn.Module] = None
        if fusion_layer is not None and fuse_every_layer:
            self.fusion_layer = nn.ModuleList(
                [MODELS.build({**fusion_layer, **dict.fromkeys(
                    ('pts_channels', 'mid_channels', 'out_channels'), width)})
                 for width in feat_channels[:-1]]
                + [MODELS.build(fusion_layer)])
        elif fusion_layer is not None:
            self.fusion_layer = MODELS.build(fusion_layer)

    def forward(self, features: Float[Tensor, 'p f'], coors: Int[Tensor, 'p 4'],
                points: Sequence[Float[Tensor, '_ f']],
                img_feats: Optional[Sequence[Float[Tensor, 'b _ _ _']]] = None,
                img_metas: Optional[List[Dict[str, Any]]] = None
                ) -> Tuple[Float[Tensor, 'm c'], Int[Tensor, 'm 4']]:
        """Returns the features of the voxels and their batch, z, y, x; called as mmdet3d's detector does.

        Args:
            features: all points, which `points` holds too.
            coors: their voxels, which are sought anew; points outside the range are dropped.
            points: per sample its points: x, y, z in metres, intensity.
            img_feats: the image neck's levels, or None for points alone.
            img_metas: per sample how picture and points were projected and augmented.
        """
        groups = group_points(points, self.range_m, self.voxel_size, self.n_voxels_xyz)
        clouds = _clouds(groups, len(points))
        features = torch.cat([groups.points, offsets_in_voxel_m(groups)], dim=1)
        voxels = features
        for layer, fusion in zip(self.vfe_layers, self._fusions()):
            if layer is not self.vfe_layers[0]:
                features = torch.cat([features, voxels[groups.voxel_of_point]], dim=1)
            features = layer(features)
            if fusion is not None and img_feats is not None:
                features = fusion(img_feats, clouds, features, img_metas)
            voxels = max_per_voxel(features, groups)
        return voxels, groups.coordinates_bzyx

    def _fusions(self) -> Sequence[Optional[nn.Module]]:
        """Returns what fuses behind each layer."""
        if isinstance(self.fusion_layer, nn.ModuleList):
            return list(self.fusion_layer)
        return [None] * (len(self.vfe_layers) - 1) + [self.fusion_layer]


def _count_voxels(range_m: Sequence[float], voxel_m: Sequence[float]) -> Tuple[int, int, int]:
    counts = [(high - low) / size for low, high, size in zip(range_m[:3], range_m[3:], voxel_m)]
    if any(abs(count - round(count)) > 1e-3 or count < 1 for count in counts):
        raise ValueError(f'voxel_size {list(voxel_m)} does not fill point_cloud_range {list(range_m)} '
                         f'(metres): got {counts} voxels along x, y, z, expected whole numbers')
    n_x, n_y, n_z = (round(count) for count in counts)
    return n_x, n_y, n_z


def _clouds(groups: VoxelGroups, n_samples: int) -> Sequence[Float[Tensor, '_ f']]:
    """Returns the points of each sample that lie in the range."""
    sample = groups.coordinates_bzyx[:, 0][groups.voxel_of_point]
    return groups.points.split(sample.bincount(minlength=n_samples).tolist())
