"""GeminiFusion inside the BEV backbone: two streams exchange after every stage, then become one.

Source: Jia et al., GeminiFusion, ICML 2024, section 3: the exchange sits inside every block of a
backbone with one stream per modality; here the blocks are the stages of mmdet3d's SECOND, one layer of
GeminiFusion follows each, and the streams are summed level by level. The delta: there one set of weights
serves both modalities, here each has its own, because a camera map and a LiDAR map are less alike than
two images.
"""
from typing import Any, Dict, Sequence, Tuple

from jaxtyping import Float
from mmdet3d.models.backbones import SECOND
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .gemini_fusion import GeminiFusionLayer
from .two_maps import WeightedSum, check_same_shape


@MODELS.register_module()
class GeminiTwoStreamSECOND(BaseModule):
    """Two SECOND backbones side by side; fuser and BEV backbone in one.

    Args:
        in_channels: channels of both maps.
        out_channels: channels of each stage.
        layer_nums: convolutions of each stage after its first.
        layer_strides: stride of each stage.
        heads: attention heads of each exchange; must divide the stage's channels.
        norm_cfg: of the convolutions.
    """

    def __init__(self, *, in_channels: int, out_channels: Sequence[int], layer_nums: Sequence[int],
                 layer_strides: Sequence[int], heads: int, norm_cfg: Dict[str, Any]) -> None:
        super().__init__()
        self.camera_stream, self.lidar_stream = (
            SECOND(in_channels=in_channels, out_channels=out_channels, layer_nums=layer_nums,
                   layer_strides=layer_strides, norm_cfg=norm_cfg) for _ in range(2))
        self.exchanges = nn.ModuleList(
            GeminiFusionLayer(channels=channels, heads=heads) for channels in out_channels)
        self.merges = nn.ModuleList(WeightedSum() for _ in out_channels)

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']) -> Tuple[Tensor, ...]:
        """Returns a fused map per stage, finest first.

        Args:
            camera_bev: of the camera, (B, C, Y, X).
            lidar_bev: of the LiDAR, likewise.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        check_same_shape(camera_bev, lidar_bev)
        levels = []
        for camera_stage, lidar_stage, exchange, merge in zip(
                self.camera_stream.blocks, self.lidar_stream.blocks, self.exchanges, self.merges):
            camera, lidar = exchange(camera_stage(camera_bev).permute(0, 2, 3, 1),
                                     lidar_stage(lidar_bev).permute(0, 2, 3, 1))
            camera_bev, lidar_bev = camera.permute(0, 3, 1, 2), lidar.permute(0, 3, 1, 2)
            levels.append(merge(camera_bev, lidar_bev))
        return tuple(levels)
