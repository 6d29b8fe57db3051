"""The camera branch that reads the LiDAR's depth along with the images.

Source: BEVFusion (Liu et al., ICRA 2023), mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py,
DepthLSSTransform: the same layers under the same names. Differences: points behind a camera are dropped; the
return that a pixel shows (`depth_image`) and the frustum's positions (`convention`) are arguments.
"""
from typing import List, Optional

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from .camera_branch import DepthAndContext, LiftSplatBranch

DEPTH_CHANNELS = 64
# Two convolutions, of stride 4 and of stride 2, bring the depth image to the feature's resolution.
DEPTH_STRIDE = 8


@MODELS.register_module(name='GeminiDepthLSSBranch')
class DepthLSSBranch(LiftSplatBranch):
    """Lifts images with the depth of the LiDAR returns as an input; an empty cloud is a black depth image.

    LiftSplatBranch lists the arguments.
    """

    reads_lidar = True

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds the encoder of the depth image and the net that joins it with the image feature."""
        self.dtransform = nn.Sequential(
            *_conv_norm_relu(1, 8, 1), *_conv_norm_relu(8, 32, 5, stride=4),
            *_conv_norm_relu(32, DEPTH_CHANNELS, 5, stride=2))
        self.depthnet = nn.Sequential(
            *_conv_norm_relu(in_channels + DEPTH_CHANNELS, in_channels, 3),
            *_conv_norm_relu(in_channels, in_channels, 3),
            nn.Conv2d(in_channels, depth_bins + context_channels, 1))

    def predict_depth(self, features: Float[Tensor, 'n c_in h w'],
                      lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']]) -> DepthAndContext:
        """Returns what to lift.

        Args:
            features: image features, n = b * n_cam.
            lidar_depth_m: depth images.

        Raises:
            ValueError: if there are no depth images, or the features have another stride than they get.
        """
        if lidar_depth_m is None:
            raise ValueError('GeminiDepthLSSBranch reads depth images, got none; hand it the points')
        drawn = self.dtransform(lidar_depth_m.flatten(0, 1).unsqueeze(1))
        if drawn.shape[-2:] != features.shape[-2:]:
            raise ValueError(f'GeminiDepthLSSBranch needs image features of stride {DEPTH_STRIDE}, here '
                             f'{tuple(drawn.shape[-2:])}, got {tuple(features.shape[-2:])}; let the '
                             'finest level of the backbone that the neck reads have that stride')
        predicted = self.depthnet(torch.cat([drawn, features], dim=1))
        return DepthAndContext.from_logits(predicted, self.frustum.depth_bins)


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> List[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2),
            nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
