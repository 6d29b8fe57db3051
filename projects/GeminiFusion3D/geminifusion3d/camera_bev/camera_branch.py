"""The camera branch: images -> backbone, neck -> depth x context -> lift -> splat -> camera BEV.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020); depth comes from the image alone.
"""
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig
from ..ops.splat import splat
from .depth_net import DepthNet
from .lift import depth_bin_centres_m, frustum_cells

# Below this much depth probability a cell's average fades to zero instead of amplifying noise.
LEAST_MASS = 0.01


class CameraBEV(NamedTuple):
    """What the camera branch returns.

    Attributes:
        bev: the map.
        depth: probability of each depth bin at each feature pixel.
    """

    bev: Float[Tensor, 'b c y x']
    depth: Float[Tensor, 'bn d h w']


@MODELS.register_module(name='GeminiCameraBranch')
class CameraBranch(BaseModule):
    """Lifts images by lift-splat with LiDAR-independent depth.

    Args:
        backbone: an image backbone of the host's registry.
        neck: a GeminiImageNeck.
        bev_grid: the grid to splat on.
        depth_range_m: near and far end of the depth bins.
        depth_bins: number of equal bins.
        out_channels: channels of the camera BEV.
        average: divide each cell's sum by the depth mass in it. A near cell collects hundreds of
            times as many pixels as a far one; the plain sum of Lift, Splat, Shoot leaves it to a
            long training to even that out.
    """

    def __init__(self, *, backbone: Dict[str, Any], neck: Dict[str, Any], bev_grid: BEVGrid,
                 depth_range_m: Sequence[float], depth_bins: int, out_channels: int,
                 average: bool = False) -> None:
        super().__init__()
        self.bev_grid = bev_grid
        self.average = average
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.depth_net = DepthNet(in_channels=self.neck.out_channels, depth_bins=depth_bins,
                                  context_channels=out_channels)
        self.register_buffer('depth_m', depth_bin_centres_m(depth_range_m, depth_bins),
                             persistent=False)

    @property
    def reads_lidar(self) -> bool:
        """Whether a prediction of this branch depends on the points."""
        return False

    def forward(self, images: Float[Tensor, 'b n_cam 3 h w'], rig: CameraRig,
                points: Optional[Sequence[Tensor]] = None) -> CameraBEV:
        """Returns the camera BEV and the depth behind it.

        Args:
            images: normalised images; those of missing cameras reach no cell.
            rig: the cameras.
            points: one (N_i, F) cloud a sample, in the augmented LiDAR frame; not read here.
        """
        images = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = self.neck(self.backbone(images))
        depth, context = self.depth_net(features)
        stride = _stride(images.shape[-2:], features.shape[-2:])
        cells = frustum_cells(rig, self.bev_grid, tuple(features.shape[-2:]), stride, self.depth_m)
        return CameraBEV(self._splat(depth, context, cells), depth)

    def loss(self, camera: CameraBEV, rig: CameraRig, points: Sequence[Tensor]) -> Dict[str, Tensor]:
        """Returns losses of the branch's own: none here."""
        return {}

    def _splat(self, depth: Tensor, context: Tensor, cells: Tensor) -> Tensor:
        """Pools the whole batch at once: sample b owns the cells from b * n_cells on."""
        batch, n_cells = len(cells), self.bev_grid.n_y * self.bev_grid.n_x
        first_cell = torch.arange(batch, device=cells.device).view(-1, 1, 1, 1) * n_cells
        cells = torch.where(cells >= 0, cells + first_cell, cells)
        features = _pixels_first(context)
        if self.average:
            features = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
        bev = splat(features, _pixels_first(depth), cells.flatten(0, 2), batch * n_cells)
        if self.average:
            bev = bev[:, :-1] / bev[:, -1:].clamp(min=LEAST_MASS)
        # Channels lie last in memory, which is what the fuser and the convolutions after it read best.
        return bev.view(batch, self.bev_grid.n_y, self.bev_grid.n_x, -1).permute(0, 3, 1, 2)


def _pixels_first(maps: Tensor) -> Tensor:
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def _stride(image_hw: Tuple[int, int], feature_hw: Tuple[int, int]) -> int:
    """Derives the stride from the shapes, and refuses an image that the network pads."""
    stride = image_hw[0] // feature_hw[0]
    if (feature_hw[0] * stride, feature_hw[1] * stride) != tuple(image_hw):
        raise ValueError(f'images of {tuple(image_hw)} pixels do not divide into a feature map of '
                         f'{tuple(feature_hw)}; make height and width multiples of the stride '
                         'of the image backbone')
    return stride
