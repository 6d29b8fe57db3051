"""MVX-Net without a compiled operator: dynamic voxels, sparse convolutions on a CPU; fusion at each point.

Source of the voxel encoder: mmdet3d 1.4.0 DynamicVFE (Zhou et al., CoRL 2019); official KITTI branch, class
DynamicVFE_modified (at 8456609), which fuses after every layer. Weights of both fit. Here no compiled
operator is needed.
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from jaxtyping import Float, Int
from mmdet3d.models import Det3DDataPreprocessor
from mmdet3d.models.layers.fusion_layers import PointFusion
from mmdet3d.models.middle_encoders import SparseEncoder
from mmdet3d.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ..fusion import GeminiFusion
from ..lidar_bev.spconv_cpu import choose_algorithm, enable_spconv_on_cpu
from ..lidar_bev.voxel_encoders import OFFSET_CHANNELS, VoxelNorm, offsets_in_voxel_m
from ..ops.device_constants import constant_like
from ..ops.voxel_groups import VoxelGroups, group_points, max_per_voxel


@MODELS.register_module()
class GeminiMVXPreprocessor(Det3DDataPreprocessor):
    """mmdet3d's, with `voxel_type='dynamic'` in plain torch; the values are those of mmcv's operator.

    Args:
        **kwargs: arguments of Det3DDataPreprocessor.

    Raises:
        ValueError: if the voxels are not dynamic.
    """

    def __init__(self, **kwargs: Any) -> None:
        if not kwargs.get('voxel') or kwargs.get('voxel_type') != 'dynamic':
            raise ValueError('GeminiMVXPreprocessor makes dynamic voxels: expected voxel=True and '
                             f'voxel_type="dynamic", got voxel={kwargs.get("voxel")}, '
                             f'voxel_type={kwargs.get("voxel_type")!r}')
        super().__init__(**kwargs)

    @torch.no_grad()
    def voxelize(self, points: List[Float[Tensor, '_ f']], data_samples: Any) -> Dict[str, Tensor]:
        """Returns `voxels` (P, F), all points, and `coors` (P, 4), batch, z, y, x, -1 outside the range.

        Args:
            points: per sample its points.
            data_samples: not looked at.

        Raises:
            ValueError: if a cloud is empty: mmdet3d's detector counts samples by their points.
        """
        empty = [sample for sample, cloud in enumerate(points) if not len(cloud)]
        if empty:
            raise ValueError(f'sample {empty[0]} of the batch has no point in the range; expected at least '
                             'one: DynamicMVXFasterRCNN cannot hold an empty cloud, leave such frames out')
        coors = [F.pad(self._coordinates_zyx(cloud), (1, 0), value=sample)
                 for sample, cloud in enumerate(points)]
        return {'voxels': torch.cat(points), 'coors': torch.cat(coors)}

    def _coordinates_zyx(self, cloud: Float[Tensor, 'n f']) -> Int[Tensor, 'n 3']:
        low_m, high_m = constant_like(self.voxel_layer.point_cloud_range, cloud).chunk(2)
        size_m = constant_like(self.voxel_layer.voxel_size, cloud)
        xyz = ((cloud[:, :3] - low_m) / size_m).floor().int()
        count = ((high_m - low_m) / size_m).round().int()
        is_inside = ((xyz >= 0) & (xyz < count)).all(1, keepdim=True)
        return xyz.where(is_inside, xyz.new_tensor(-1)).flip(1)


@MODELS.register_module()
class GeminiMVXSparseEncoder(SparseEncoder):
    """mmdet3d's SparseEncoder, on a CPU as well.

    Args:
        **kwargs: arguments of SparseEncoder.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        enable_spconv_on_cpu()

    def forward(self, voxel_features: Float[Tensor, 'm c_in'], coors: Int[Tensor, 'm 4'],
                batch_size: Any) -> Float[Tensor, 'b c y x']:
        """Returns the LiDAR BEV.

        Args:
            voxel_features: one row per voxel.
            coors: batch, z, y, x of the voxels.
            batch_size: B.
        """
        choose_algorithm(self, is_cuda=voxel_features.is_cuda)
        return super().forward(voxel_features, coors, int(batch_size))


@MODELS.register_module()
class GeminiPointFusion(PointFusion):
    """mmdet3d's PointFusion with GeminiFusion in place of the sum; linear in the number of points.

    Source: official KITTI branch, class Gemini_PointFusion of point_fusion.py (at 8456609), on mmdet3d
    1.4.0's PointFusion. There the sum of the two features becomes GeminiFusion, with its weighted sum and
    ReLU at the end. It starts as it does there when the official recipe trains: the layer's Xavier
    initialisation is never called, since the voxel encoder around it is no BaseModule, neither there nor
    here.

    Args:
        *args: as of PointFusion.
        heads: attention heads; must divide `out_channels`.
        **kwargs: as of PointFusion.
    """

    def __init__(self, *args: Any, heads: int = 8, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fuser = GeminiFusion(channels=self.pts_transform[0].out_features, heads=heads,
                                  activation='relu' if self.activate_out else 'none')
        for layer in self.fuser.layers:
            for attention in (layer.camera_attention, layer.lidar_attention):
                for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
                    # Thirds of one (3C, C) matrix there: fan_in + fan_out is 4 C, not 2 C.
                    nn.init.xavier_uniform_(projection.weight, gain=0.5 ** 0.5)

    def forward(self, img_feats: Sequence[Float[Tensor, 'b _ _ _']], pts: Sequence[Float[Tensor, '_ _']],
                pts_feats: Float[Tensor, 'p c_in'], img_metas: List[Dict[str, Any]]
                ) -> Float[Tensor, 'p c_out']:
        """Return the fused features of all points of the batch.

        Args:
            img_feats: the image neck's levels.
            pts: per sample its points, x, y, z in metres first.
            pts_feats: features of all points, sample after sample.
            img_metas: per sample how picture and points were projected and augmented.
        """
        image = self.img_transform(self.obtain_mlvl_feats(img_feats, pts, img_metas))
        image = F.dropout(image, self.dropout_ratio, training=self.training)
        fused = self.fuser(image.unsqueeze(0), self.pts_transform(pts_feats).unsqueeze(0)).squeeze(0)
        return self.fuse_conv(fused) if self.fuse_out else fused


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
