"""Two enriched maps become one by a learned weight: the merge of the official KITTI branch.

Source: GeminiFusion's point_fusion.py, softmax(alpha) over a learned pair.
"""
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..ops.weighted_sum import weighted_sum


class WeightedSum(nn.Module):
    """The sum of two maps with the shares softmax(alpha), equal at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(2))

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the weighted sum."""
        return weighted_sum(camera_bev, lidar_bev, self.alpha.softmax(dim=0))
