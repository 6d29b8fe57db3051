"""GeminiFusion inside the BEV backbone: two streams exchange after every stage, then become one.

Source: Jia et al., GeminiFusion, ICML 2024, section 3: the exchange sits inside every block of a
backbone with one stream per modality; here the blocks are the stages of mmdet3d's SECOND, one layer of
GeminiFusion follows each, and the streams are summed level by level. The delta: there one set of weights
serves both modalities, here each has its own, because a camera map and a LiDAR map are less alike than
two images.

The exchange can go on in the neck, level by level. An image neck's levels have no LiDAR cells beside them:
they are pixels in perspective, so that two streams begin where both are maps from above.
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.models.backbones import SECOND
from mmdet3d.models.necks import SECONDFPN
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
        exchange: False keeps the streams apart from stage to stage.
        merge: False returns both streams, the levels of the camera and then those of the LiDAR, for
            GeminiTwoStreamFPN.
        layer: further arguments of each GeminiFusionLayer.

    Raises:
        ValueError: if the streams would neither exchange nor stay two.
    """

    def __init__(self, *, in_channels: int, out_channels: Sequence[int], layer_nums: Sequence[int],
                 layer_strides: Sequence[int], heads: int, norm_cfg: Dict[str, Any], exchange: bool = True,
                 merge: bool = True, layer: Optional[Dict[str, Any]] = None) -> None:
        super().__init__()
        if merge and not exchange:
            raise ValueError('got exchange=False and merge=True, two backbones that never exchange; expected '
                             'merge=False with GeminiTwoStreamFPN as bev_neck, or exchange=True')
        self.camera_stream, self.lidar_stream = (
            SECOND(in_channels=in_channels, out_channels=out_channels, layer_nums=layer_nums,
                   layer_strides=layer_strides, norm_cfg=norm_cfg) for _ in range(2))
        self.exchanges = nn.ModuleList(
            Exchange(channels=channels, heads=heads, layer=layer) for channels in out_channels
        ) if exchange else None
        self.merges = nn.ModuleList(WeightedSum() for _ in out_channels) if merge else None

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']) -> Tuple[Tensor, ...]:
        """Returns a fused map per stage, finest first, or both streams.

        Args:
            camera_bev: of the camera, (B, C, Y, X).
            lidar_bev: of the LiDAR, likewise.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        check_same_shape(camera_bev, lidar_bev)
        levels = []
        for stage, blocks in enumerate(zip(self.camera_stream.blocks, self.lidar_stream.blocks)):
            camera_bev, lidar_bev = (block(bev) for block, bev in zip(blocks, (camera_bev, lidar_bev)))
            if self.exchanges is not None:
                camera_bev, lidar_bev = self.exchanges[stage](camera_bev, lidar_bev)
            levels.append((camera_bev, lidar_bev))
        if self.merges is None:
            camera_levels, lidar_levels = zip(*levels)
            return (*camera_levels, *lidar_levels)
        return tuple(merge(*level) for merge, level in zip(self.merges, levels))


@MODELS.register_module()
class GeminiTwoStreamFPN(BaseModule):
    """Two SECONDFPN necks side by side that exchange at every level, at the finest level's resolution.

    Args:
        in_channels: channels of each level of one stream.
        out_channels: channels of each level brought to the finest resolution.
        upsample_strides: of each level.
        heads: attention heads of each exchange; must divide the level's out_channels.
        norm_cfg: of the convolutions.
        use_conv_for_no_stride: see SECONDFPN.
        exchange: False only sums the levels.
        layer: further arguments of each GeminiFusionLayer.
    """

    def __init__(self, *, in_channels: Sequence[int], out_channels: Sequence[int],
                 upsample_strides: Sequence[int], heads: int, norm_cfg: Dict[str, Any],
                 use_conv_for_no_stride: bool = False, exchange: bool = True,
                 layer: Optional[Dict[str, Any]] = None) -> None:
        super().__init__()
        self.camera_stream, self.lidar_stream = (
            SECONDFPN(in_channels=in_channels, out_channels=out_channels, upsample_strides=upsample_strides,
                      norm_cfg=norm_cfg, use_conv_for_no_stride=use_conv_for_no_stride) for _ in range(2))
        self.exchanges = nn.ModuleList(
            Exchange(channels=channels, heads=heads, layer=layer) for channels in out_channels
        ) if exchange else None
        self.merges = nn.ModuleList(WeightedSum() for _ in out_channels)

    def forward(self, levels: Sequence[Float[Tensor, 'b _ _ _']]) -> List[Float[Tensor, 'b c y x']]:
        """Returns one map: the fused levels, channel after channel.

        Args:
            levels: of the camera, finest first, then of the LiDAR.

        Raises:
            ValueError: if they are not those of two streams.
        """
        number = len(self.merges)
        if len(levels) != 2 * number:
            raise ValueError(f'a neck of two streams needs {2 * number} levels, got {len(levels)}; set '
                             'merge=False in GeminiTwoStreamSECOND')
        fused = []
        for level, merge in enumerate(self.merges):
            camera_bev = self.camera_stream.deblocks[level](levels[level])
            lidar_bev = self.lidar_stream.deblocks[level](levels[number + level])
            if self.exchanges is not None:
                camera_bev, lidar_bev = self.exchanges[level](camera_bev, lidar_bev)
            fused.append(merge(camera_bev, lidar_bev))
        return [torch.cat(fused, dim=1)]


class Exchange(GeminiFusionLayer):
    """A layer of GeminiFusion between two maps.

    Args:
        channels: C of both maps.
        heads: attention heads; must divide C.
        layer: further arguments of the layer.
    """

    def __init__(self, *, channels: int, heads: int, layer: Optional[Dict[str, Any]]) -> None:
        super().__init__(channels=channels, heads=heads, **(layer or {}))

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Tuple[Float[Tensor, 'b c y x'], Float[Tensor, 'b c y x']]:
        """Returns both maps, each enriched by the other."""
        camera, lidar = super().forward(camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1))
        return camera.permute(0, 3, 1, 2), lidar.permute(0, 3, 1, 2)
