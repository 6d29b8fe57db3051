"""The frustum that published BEVFusion weights were trained with; chosen by `convention='bevfusion'`.

Source: mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py. Differences to Frustum:

1. A depth bin is lifted to its near end, not to its middle: half a bin, 0.25 m, nearer.
2. Feature cells look from positions spread evenly over the image with both border pixels included,
   so that cells at the border look up to half a stride further out.
3. Positions are cut to cells towards zero instead of down: the first row and column of cells and the
   height range also take what lies up to one cell (for the height: one whole range) below them.
4. A pixel's integer coordinate is its upper left corner where LiDAR points are drawn, not its centre.
"""
from typing import ClassVar, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..ops.device_constants import constant_like
from .lift import Frustum, row_by_row


class BEVFusionFrustum(Frustum):
    """BEVFusion's positions, as the module says."""

    to_corner_px: ClassVar[float] = 0.0

    def depth_m(self, device: torch.device) -> Float[Tensor, ' d']:
        """Returns the near end of each bin, in float32."""
        return self.depth_range_m[0] + torch.arange(self.depth_bins, device=device) * self.bin_m

    def pixels(self, image_hw: Tuple[int, int], feature_hw: Tuple[int, int], device: torch.device
               ) -> Float[Tensor, 'p 2']:
        """Returns positions from the first pixel to the last, ends included."""
        return row_by_row(*(torch.linspace(0, size - 1, cells, device=device)
                            for size, cells in zip(image_hw, feature_hw)))

    def cell_of(self, points_m: Float[Tensor, '*batch 3'], bev_grid: BEVGrid) -> Int[Tensor, ' *batch']:
        """Returns the flat cell of each lifted point, cut towards zero."""
        low_m = constant_like(bev_grid.range_m[:3], points_m)
        z_extent_m = bev_grid.range_m[5] - bev_grid.range_m[2]
        size_m = constant_like([bev_grid.cell_m, bev_grid.cell_m, z_extent_m], points_m)
        is_just_below = (points_m < low_m) & (points_m > low_m - size_m)
        return bev_grid.cell_of(torch.where(is_just_below, low_m, points_m))
