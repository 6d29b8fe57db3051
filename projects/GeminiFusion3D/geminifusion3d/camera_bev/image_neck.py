"""Merges the backbone's levels into one map at the finest level's resolution.

Source: the FPN of Lift, Splat, Shoot (Philion and Fidler, ECCV 2020) as BEVFusion uses it
(GeneralizedLSSFPN); here one output level, which is all that the lift reads.
"""
from functools import lru_cache
from typing import Sequence, Tuple

import torch
from jaxtyping import Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, cat, nn

from ..ops.device_constants import constant_like


@MODELS.register_module(name='GeminiImageNeck')
class ImageNeck(BaseModule):
    """From coarse to fine: upsample, concatenate with the next finer level, convolve.

    Args:
        in_channels: channels of each level, finest first.
        out_channels: channels of the merged map.
        align_corners: as in torch.nn.functional.interpolate; BEVFusion's recipes leave it off.
    """

    def __init__(self, *, in_channels: Sequence[int], out_channels: int, align_corners: bool = False) -> None:
        super().__init__()
        self.align_corners = align_corners
        norm = dict(type='BN2d')
        self.merges = nn.ModuleList()
        for level, channels in enumerate(in_channels[:-1]):
            is_coarsest = level == len(in_channels) - 2
            below = in_channels[-1] if is_coarsest else out_channels
            self.merges.append(nn.Sequential(
                ConvModule(channels + below, out_channels, 1, norm_cfg=norm, bias=False),
                ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm, bias=False)))
        self.out_channels = out_channels

    def forward(self, levels: Sequence[Float[Tensor, 'n _ _ _']]) -> Float[Tensor, 'n c h w']:
        """Returns the merged map.

        Args:
            levels: (N, C_i, H_i, W_i), finest first.
        """
        merged = levels[-1]
        for level, merge in zip(reversed(levels[:-1]), reversed(self.merges)):
            rows, columns = level.shape[-2:]
            upsampled = resize_bilinear(merged, (rows, columns), align_corners=self.align_corners)
            merged = merge(cat([level, upsampled], dim=1))
        return merged


def resize_bilinear(values: Float[Tensor, 'n c h w'], size_hw: Tuple[int, int], *, align_corners: bool
                    ) -> Float[Tensor, 'n c height width']:
    """Interpolates as torch.nn.functional.interpolate does, fast and repeatable on a GPU as well.

    Where deterministic algorithms are demanded, torch replaces its CUDA kernel by a decomposition whose
    backward pass sorts indices. Interpolation is linear along each axis: two products with constant matrices
    compute the same, and repeat to the last bit.

    Args:
        values: any map; fastest in channels-last memory, of which nothing is then copied.
        size_hw: rows and columns of the result.
        align_corners: as in torch.nn.functional.interpolate.
    """
    if not (values.is_cuda and torch.are_deterministic_algorithms_enabled()):
        return nn.functional.interpolate(values, size=size_hw, mode='bilinear', align_corners=align_corners)
    return _resize_by_products(values, size_hw, align_corners)


def _resize_by_products(values: Float[Tensor, 'n c h w'], size_hw: Tuple[int, int], align_corners: bool
                        ) -> Float[Tensor, 'n c height width']:
    by_row, by_column = (
        constant_like(_bilinear_weights(old, new, align_corners), values).view(new, old)
        for old, new in zip(values.shape[-2:], size_hw))
    channels_last = values.permute(0, 2, 3, 1)
    rows = by_row @ channels_last.flatten(2)
    return (by_column @ rows.unflatten(2, channels_last.shape[2:])).permute(0, 3, 1, 2)


@lru_cache(maxsize=32)
def _bilinear_weights(old: int, new: int, align_corners: bool) -> Tuple[float, ...]:
    """Returns the (new x old) matrix, row by row, as torch's interpolation of unit vectors."""
    unit_vectors = torch.eye(old, dtype=torch.float64).unsqueeze(1)
    weights = nn.functional.interpolate(unit_vectors, size=new, mode='linear', align_corners=align_corners)
    return tuple(weights.squeeze(1).T.flatten().tolist())
