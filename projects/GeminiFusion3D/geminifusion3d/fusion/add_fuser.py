"""Fusion by addition: the least that a fuser can do, and the floor of every comparison."""
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from .two_maps import check_same_shape


@MODELS.register_module()
class GeminiAddFuser(BaseModule):
    """Adds the two maps.

    Args:
        channels: of both maps and of the fused map.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the fused map.

        Args:
            camera_bev: of the camera, (B, C, Y, X).
            lidar_bev: of the LiDAR, likewise.

        Raises:
            ValueError: if the two maps are not of one shape, or of other channels.
        """
        check_same_shape(camera_bev, lidar_bev)
        if camera_bev.shape[1] != self.out_channels:
            raise ValueError(f'this fuser was built for maps of {self.out_channels} channels, got '
                             f'{tuple(camera_bev.shape)}')
        return camera_bev + lidar_bev
