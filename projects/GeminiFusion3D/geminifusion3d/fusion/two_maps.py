"""Two enriched maps become one by a learned weight: the merge of the official KITTI branch.

Source: GeminiFusion's point_fusion.py, softmax(alpha) over a learned pair.
"""
import torch
from jaxtyping import Float
from torch import Tensor, nn


def weighted_sum(camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x'],
                 alpha: Float[Tensor, ' 2']) -> Float[Tensor, 'b c y x']:
    """Returns the sum of the two maps with the shares softmax(alpha)."""
    camera_share, lidar_share = alpha.softmax(dim=0)
    if camera_bev.dtype == lidar_bev.dtype == alpha.dtype:
        # The shares sum to 1: the same in one pass over the maps, without maps in between.
        return torch.lerp(camera_bev, lidar_bev, lidar_share)
    return camera_share * camera_bev + lidar_share * lidar_bev


class WeightedSum(nn.Module):
    """The weighted sum with an alpha of its own, equal shares at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(2))

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the weighted sum."""
        return weighted_sum(camera_bev, lidar_bev, self.alpha)
