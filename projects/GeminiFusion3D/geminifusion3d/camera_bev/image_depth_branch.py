"""The camera branch whose depth comes from the image alone.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1.
"""
from typing import Optional, Tuple

from mmdet3d.registry import MODELS
from torch import Tensor

from .camera_branch import LiftSplatBranch
from .depth_net import DepthNet


@MODELS.register_module(name='GeminiCameraBranch')
class CameraBranch(LiftSplatBranch):
    """Lifts images with LiDAR-independent depth; LiftSplatBranch lists the arguments."""

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds the depth net."""
        self.depth_net = DepthNet(in_channels=in_channels, depth_bins=depth_bins,
                                  context_channels=context_channels)

    def predict_depth(self, features: Tensor, lidar_depth_m: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """Returns depth and context; the LiDAR's depth, where it is given, is for the loss only."""
        return self.depth_net(features)
