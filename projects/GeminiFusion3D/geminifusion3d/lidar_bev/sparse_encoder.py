"""Voxels to a dense BEV map with sparse 3D convolutions.

Source: mmdet3d 1.4.0 SparseEncoder (SECOND, Yan et al., Sensors 2018), whose weights fit.
"""
from typing import Sequence

import torch
from jaxtyping import Float, Int
from mmdet3d.models.middle_encoders import SparseEncoder
from mmdet3d.registry import MODELS
from spconv import constants as spconv_constants
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from .spconv_cpu import choose_algorithm, enable_spconv_on_cpu
from .voxel_encoders import VoxelNorm


@MODELS.register_module()
class GeminiSparseEncoder(SparseEncoder):
    """mmdet3d's SparseEncoder, except that it derives its shape from the grid and runs on a CPU.

    Args:
        in_channels: features per voxel.
        bev_grid: the grid that its output must have.
        voxel_m: voxel size along x, y, z.
        base_channels: channels of the first convolution.
        output_channels: channels of the last convolution, before height is folded into channels.
        encoder_channels: channels of each convolution, stage by stage.
        encoder_paddings: paddings of each convolution, stage by stage.
        block_type: 'conv_module' or 'basicblock'.
        norm_momentum: momentum of the batch norms' running statistics; raise it for a very short training.

    Raises:
        ValueError: if the voxels and the stages do not lead to the grid's cells.
    """

    def __init__(self, *, in_channels: int, bev_grid: BEVGrid, voxel_m: Sequence[float],
                 base_channels: int, output_channels: int,
                 encoder_channels: Sequence[Sequence[int]],
                 encoder_paddings: Sequence[Sequence], block_type: str,
                 norm_momentum: float = 0.01) -> None:
        self.bev_grid = bev_grid
        self.stride = 2 ** (len(encoder_channels) - 1)
        self.n_voxels_xyz = bev_grid.cells_per_voxel_axis(voxel_m, self.stride)
        n_x, n_y, n_z = self.n_voxels_xyz
        # One empty layer above the range, as in every SECOND, so that heights halve evenly.
        super().__init__(
            in_channels=in_channels, sparse_shape=[n_z + 1, n_y, n_x], order=('conv', 'norm', 'act'),
            norm_cfg=dict(type=VoxelNorm, eps=1e-3, momentum=norm_momentum),
            base_channels=base_channels, output_channels=output_channels,
            encoder_channels=tuple(map(tuple, encoder_channels)),
            encoder_paddings=tuple(map(tuple, encoder_paddings)), block_type=block_type)
        self.out_channels = output_channels * _layers_left(n_z + 1, encoder_paddings, block_type)
        enable_spconv_on_cpu()

    def forward(self, voxel_features: Float[Tensor, 'm c_in'], coordinates_bzyx: Int[Tensor, 'm 4'],
                batch_size: int) -> Float[Tensor, '{batch_size} c y x']:
        """Returns the LiDAR BEV; all zeros where the whole batch is empty.

        Args:
            voxel_features: one row per voxel.
            coordinates_bzyx: batch, z, y, x of the voxels.
            batch_size: B, also counting empty clouds.
        """
        if len(voxel_features) == 0:
            return self._empty_map(voxel_features, batch_size)
        choose_algorithm(self, is_cuda=voxel_features.is_cuda)
        # As the dense convolutions beside it, which use TF32 unless the user forbids it; read at each call.
        spconv_constants.SPCONV_ALLOW_TF32 = torch.backends.cudnn.allow_tf32
        # Under any autocast on CUDA, to bfloat16 as well, spconv trains in float16, whose gradients underflow
        # to zero without a loss scale: of the presets fp16 alone has one, and no other may reach spconv.
        device_type = voxel_features.device.type
        is_half = (voxel_features.is_cuda and torch.is_autocast_enabled(device_type)
                   and torch.get_autocast_dtype(device_type) == torch.float16)
        with torch.autocast(device_type, dtype=torch.float16 if is_half else None, enabled=is_half):
            # mmdet3d's decorator would switch autocast off on CUDA.
            return SparseEncoder.forward.__wrapped__(self, voxel_features.float(), coordinates_bzyx,
                                                     batch_size)

    def _empty_map(self, voxel_features: Float[Tensor, 'm c_in'], batch_size: int
                   ) -> Float[Tensor, '{batch_size} c y x']:
        bev = voxel_features.new_zeros(batch_size, self.out_channels, *self.bev_grid.shape_yx)
        if self.training:
            # Distributed training waits for a gradient of every parameter from every process.
            bev = bev + torch.stack([parameter.sum() for parameter in self.parameters()]).sum() * 0
        return bev


def _layers_left(n_layers: int, paddings: Sequence[Sequence], block_type: str) -> int:
    """Returns the number of height layers after all strided convolutions, by the usual size formula."""
    for stage, stage_paddings in enumerate(paddings):
        is_strided = stage > 0 if block_type == 'conv_module' else stage < len(paddings) - 1
        if is_strided:
            padding = stage_paddings[0 if block_type == 'conv_module' else -1]
            height_padding = padding if isinstance(padding, int) else padding[0]
            n_layers = (n_layers + 2 * height_padding - 3) // 2 + 1
    return (n_layers - 3) // 2 + 1
