"""Merges the backbone's levels into one map at the finest level's resolution.

Source: the FPN of Lift, Splat, Shoot (Philion and Fidler, ECCV 2020) as BEVFusion uses it
(GeneralizedLSSFPN); here one output level, which is all that the lift reads.
"""
from typing import Sequence

from jaxtyping import Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, cat, nn


@MODELS.register_module(name='GeminiImageNeck')
class ImageNeck(BaseModule):
    """From coarse to fine: upsample, concatenate with the next finer level, convolve.

    Args:
        in_channels: channels of each level, finest first.
        out_channels: channels of the merged map.
        align_corners: as in torch.nn.functional.interpolate; BEVFusion's recipes leave it off.
    """

    def __init__(self, *, in_channels: Sequence[int], out_channels: int, align_corners: bool = False
                 ) -> None:
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

    def forward(self, levels: Sequence[Tensor]) -> Float[Tensor, 'n c h w']:
        """Returns the merged map.

        Args:
            levels: (N, C_i, H_i, W_i), finest first.
        """
        merged = levels[-1]
        for level, merge in zip(reversed(levels[:-1]), reversed(self.merges)):
            upsampled = nn.functional.interpolate(
                merged, size=level.shape[-2:], mode='bilinear',
                align_corners=self.align_corners)
            merged = merge(cat([level, upsampled], dim=1))
        return merged
