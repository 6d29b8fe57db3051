"""MVX-Net without a compiled operator: dynamic voxels, sparse convolutions on a CPU."""
from typing import Any, Dict, List

import torch
from jaxtyping import Float, Int
from mmdet3d.models import Det3DDataPreprocessor
from mmdet3d.models.middle_encoders import SparseEncoder
from mmdet3d.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from ..lidar_bev.spconv_cpu import choose_algorithm, enable_spconv_on_cpu
from ..ops.device_constants import constant_like


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
