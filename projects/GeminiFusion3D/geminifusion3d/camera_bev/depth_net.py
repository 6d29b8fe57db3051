"""Predicts for each pixel a distribution over depth and a context feature, from the image alone.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1.
"""
from typing import Tuple

from jaxtyping import Float
from mmcv.cnn import ConvModule
from torch import Tensor, nn


class DepthNet(nn.Module):
    """One 3x3 convolution, then one 1x1 for depth logits and context together.

    Args:
        in_channels: channels of the image feature.
        depth_bins: D.
        context_channels: channels to lift.
    """

    def __init__(self, *, in_channels: int, depth_bins: int, context_channels: int) -> None:
        super().__init__()
        self.depth_bins = depth_bins
        self.trunk = ConvModule(in_channels, in_channels, 3, padding=1, bias=False,
                                norm_cfg=dict(type='BN2d'))
        self.predict = nn.Conv2d(in_channels, depth_bins + context_channels, 1)

    def forward(self, features: Float[Tensor, 'n c_in h w']
                ) -> Tuple[Float[Tensor, 'n d h w'], Float[Tensor, 'n c h w']]:
        """Returns depth probabilities that sum to 1 over D (float32) and the context."""
        predicted = self.predict(self.trunk(features))
        depth = predicted[:, :self.depth_bins].float().softmax(dim=1)
        return depth, predicted[:, self.depth_bins:]
