"""Fusers of this project as `fusion_layer` of mmdet3d's projects/BEVFusion.

Source of the call: mmdet3d v1.4.0, projects/BEVFusion/bevfusion/bevfusion.py, `self.fusion_layer(features)`.
Source of what surrounds the fuser by default: GeminiFusion's point_fusion.py (official KITTI branch): a
linear projection and a batch norm per modality, GeminiFusion on these signed features, ReLU after the merge.
"""
from typing import Any, Dict, Optional, Sequence

import torch
from jaxtyping import Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class GeminiBEVFusionLayer(BaseModule):
    """Projects each map to the fused map's channels (1x1 convolution, batch norm), then fuses.

    BEVFusion's maps are (B, C, X, Y), this project's (B, C, Y, X): fusers that work cell by cell, as
    GeminiFusion does, see no difference, and the others learn it.

    Args:
        in_channels: channels of each map, in the order of the list: camera, LiDAR.
        out_channels: channels of the fused map.
        fuser: config of any fuser of as many maps, each of `out_channels` channels; None for GeminiFusion.

    Raises:
        ValueError: if there are fewer than two maps.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int,
                 fuser: Optional[Dict[str, Any]] = None) -> None:
        super().__init__()
        if len(in_channels) < 2:
            raise ValueError('in_channels must name the channels of two or more maps, got '
                             f'{list(in_channels)}')
        self.in_channels = tuple(in_channels)
        self.out_channels = out_channels
        self.projections = nn.ModuleList(
            ConvModule(channels, out_channels, 1, bias=False, norm_cfg=dict(type='BN2d'), act_cfg=None)
            for channels in in_channels)
        self.fuser = MODELS.build(
            fuser or dict(type='GeminiFusion', channels=out_channels, activation='relu'))

    def forward(self, features: Sequence[Float[Tensor, 'b _ x y']]) -> Float[Tensor, 'b c x y']:
        """Return the fused map.

        Args:
            features: the maps, in the order of in_channels.

        Raises:
            ValueError: if the maps are not those of in_channels, or the fuser returns more than a map.
        """
        if tuple(bev.shape[1] for bev in features) != self.in_channels:
            raise ValueError(f'expected maps of {self.in_channels} channels, got shapes '
                             f'{[tuple(bev.shape) for bev in features]}; is a modality missing?')
        fused = self.fuser(*(project(bev) for project, bev in zip(self.projections, features)))
        if not torch.is_tensor(fused):
            raise ValueError(f'{type(self.fuser).__name__} returns losses or several maps, for which '
                             'BEVFusion has no place; choose a fuser that returns one map')
        # BEVFusion's head takes views of maps that channels-last memory does not allow.
        return fused.contiguous()
