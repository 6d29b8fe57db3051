"""What fusers share: maps that fit each other, the learned sum of two maps, a result with losses.

And fusion without attention: one convolution over both maps, the peer of every comparison, and the sum.

Source of the sum: GeminiFusion's point_fusion.py (official KITTI branch), softmax(alpha) over a learned
pair. Source of the convolution: Liu et al., BEVFusion, ICRA 2023; mmdet3d projects/BEVFusion ConvFuser. The
same layers under the same names, so that its weights fit.
"""
from typing import Dict, NamedTuple, Sequence, Tuple, Union

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn


class FusedBEV(NamedTuple):
    """A fused map with the losses of its making; a fuser without losses returns the bare map.

    Attributes:
        bev: (B, C, Y, X), or the levels of such maps, finest first, where the fuser is the BEV backbone too.
        losses: by name, each begins with `loss`.
    """

    bev: Union[Tensor, Tuple[Tensor, ...]]
    losses: Dict[str, Tensor]


class WeightedSum(nn.Module):
    """The sum of two maps with the shares softmax(alpha), equal at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(2))

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Return the weighted sum."""
        return weighted_sum(camera_bev, lidar_bev, self.alpha.softmax(dim=0))


def weighted_sum(camera: Float[Tensor, ' *cells'], lidar: Float[Tensor, ' *cells'],
                 shares: Float[Tensor, ' 2']) -> Float[Tensor, ' *cells']:
    """Return the sum of two maps by the shares of camera and LiDAR, which must sum to 1."""
    if camera.dtype == lidar.dtype == shares.dtype:
        # The same in one pass over the maps, without maps in between.
        return torch.lerp(camera, lidar, shares[1])
    return shares[0] * camera + shares[1] * lidar


def check_same_cells(camera_bev: Tensor, lidar_bev: Tensor) -> None:
    """Raise ValueError unless both maps are of one batch and of the same rows and columns."""
    if len(camera_bev) != len(lidar_bev) or camera_bev.shape[-2:] != lidar_bev.shape[-2:]:
        raise ValueError(f'a fuser needs maps of the same cells, got camera {tuple(camera_bev.shape)} '
                         f'and LiDAR {tuple(lidar_bev.shape)}; align them first')


def check_same_shape(camera_bev: Tensor, lidar_bev: Tensor) -> None:
    """Raise ValueError unless both maps are of one shape, channels included."""
    if camera_bev.shape != lidar_bev.shape:
        raise ValueError(f'this fuser needs maps of one shape, got camera {tuple(camera_bev.shape)} '
                         f'and LiDAR {tuple(lidar_bev.shape)}; align them first')


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


@MODELS.register_module()
class GeminiConvFuser(Sequential):
    """Concatenates the maps and convolves: 3x3, batch norm, ReLU.

    Args:
        in_channels: channels of the camera map and of the LiDAR map.
        out_channels: channels of the fused map.

    Raises:
        ValueError: if in_channels does not name two maps.
    """

    def __init__(self, *, in_channels: Sequence[int], out_channels: int) -> None:
        if len(in_channels) != 2:
            raise ValueError('in_channels must be those of the camera map and of the LiDAR map, got '
                             f'{list(in_channels)}')
        super().__init__(
            nn.Conv2d(sum(in_channels), out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.out_channels = out_channels

    def forward(self, camera_bev: Float[Tensor, 'b c_camera y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the fused map.

        Args:
            camera_bev: of the camera, (B, C, Y, X).
            lidar_bev: of the LiDAR, likewise.

        Raises:
            ValueError: if the two maps do not cover the same cells.
        """
        check_same_cells(camera_bev, lidar_bev)
        return super().forward(torch.cat([camera_bev, lidar_bev], dim=1))
