"""What fusers share: maps that fit each other, the learned sum of two maps, a result with losses.

Source of the sum: GeminiFusion's point_fusion.py (official KITTI branch), softmax(alpha) over a learned
pair.
"""
from typing import Dict, NamedTuple, Tuple, Union

import torch
from jaxtyping import Float
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
    """Return the sum of two maps.

    Args:
        camera: features.
        lidar: features.
        shares: of camera and LiDAR; must sum to 1.
    """
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
