"""A map on one grid, read at the centres of another grid's cells: exact bilinear resampling.

MIT's BEVFusion does the same before its segmentation head (mmdet3d/models/heads/segm/vanilla.py,
BEVGridTransform). The delta: half a cell along the edge the outermost values hold on, where zeros beyond the
edge would be mixed in.
"""
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .bev_grid import BEVGrid


class ResampleBEV(nn.Module):
    """Resamples maps from a grid to another; between equal grids they pass untouched.

    Args:
        source: the grid of the maps.
        target: the grid that they are wanted on.
    """

    sampling_xy: Tensor
    is_covered: Tensor

    def __init__(self, source: BEVGrid, target: BEVGrid) -> None:
        super().__init__()
        self.is_needed = source != target
        if self.is_needed:
            positions = _sampling_positions(source, target)
            self.register_buffer('sampling_xy', positions, persistent=False)
            self.register_buffer('is_covered', (positions.abs() < 1).all(-1), persistent=False)

    def forward(self, bev: Float[Tensor, 'b c y_in x_in']) -> Float[Tensor, 'b c y x']:
        """Returns the map's values at the centres of the target's cells; zero outside the source."""
        if not self.is_needed:
            return bev
        # In half precision a position on a wide grid may be wrong by a whole cell.
        with torch.autocast(bev.device.type, enabled=False):
            sampled = torch.nn.functional.grid_sample(
                bev.float(), self.sampling_xy.expand(len(bev), -1, -1, -1), padding_mode='border',
                align_corners=False)
        return sampled.where(self.is_covered, sampled.new_zeros(())).to(bev.dtype)


def _sampling_positions(source: BEVGrid, target: BEVGrid) -> Float[Tensor, '1 y x 2']:
    """Target cell centres in grid_sample's coordinates: -1 and 1 are the source's outer edges."""
    low = torch.tensor(source.range_m[:2])
    return ((target.centres_m() - low) / torch.tensor(source.extent_m) * 2 - 1).unsqueeze(0)
