"""Fusion by cross-attention in both directions: what GeminiFusion's pixel-wise attention stands in for."""
from typing import Optional

from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from .cross_attention import CrossAttention
from .same_cells import check_same_shape
from .two_maps import WeightedSum


@MODELS.register_module()
class GeminiCrossAttention(BaseModule):
    """Each map reads the other one, then both are summed by learned weights.

    Args:
        channels: C of both maps and of the fused map.
        heads: attention heads; must divide C.
        window: side of a square window in cells; None for attention over the whole map.
    """

    def __init__(self, *, channels: int, heads: int = 8, window: Optional[int] = None) -> None:
        super().__init__()
        self.camera_attention = CrossAttention(channels=channels, heads=heads, window=window)
        self.lidar_attention = CrossAttention(channels=channels, heads=heads, window=window)
        self.merge = WeightedSum()
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the fused map.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        check_same_shape(camera_bev, lidar_bev)
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        new_camera = self.camera_attention(camera, lidar).permute(0, 3, 1, 2)
        new_lidar = self.lidar_attention(lidar, camera).permute(0, 3, 1, 2)
        return self.merge(new_camera, new_lidar)
