"""The frustum: which BEV cell each (pixel, depth bin) pair of each camera falls into.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1; here as cell indices only.
"""
from dataclasses import dataclass
from typing import ClassVar, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig
from ..ops.device_constants import constant_like


@dataclass(frozen=True)
class Frustum:
    """A feature cell stands for its centre in the image, a depth bin for its middle.

    Attributes:
        depth_range_m: near and far end of the bins, along the optical axis.
        depth_bins: number of equal bins; bin k covers [near + k * bin_m, near + (k + 1) * bin_m).
        corner_pixels: whether integer coordinates are the upper left corners of pixels, not the centres.
    """

    depth_range_m: Tuple[float, ...]
    depth_bins: int
    corner_pixels: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if len(self.depth_range_m) != 2 or not 0 < self.depth_range_m[0] < self.depth_range_m[1] \
                or self.depth_bins < 1:
            raise ValueError(f'depth_range_m must be (near, far) with 0 < near < far and depth_bins at '
                             f'least 1, got {tuple(self.depth_range_m)} and {self.depth_bins}')

    @property
    def bin_m(self) -> float:
        """Length of a depth bin."""
        near_m, far_m = self.depth_range_m
        return (far_m - near_m) / self.depth_bins

    def depth_m(self, device: torch.device) -> Float[Tensor, ' d']:
        """Returns the depth that each bin is lifted to, in float32."""
        return self.depth_range_m[0] + (torch.arange(self.depth_bins, device=device) + 0.5) * self.bin_m

    def pixels(self, image_hw: Tuple[int, int], feature_hw: Tuple[int, int], device: torch.device
               ) -> Float[Tensor, 'p 2']:
        """Returns the image position (u, v) of each feature cell, row by row.

        Integer coordinates are pixel centres: cell 0 of stride 8 covers pixels 0..7, centre 3.5.
        """
        rows, columns = ((torch.arange(cells, device=device) + 0.5) * (size / cells) - 0.5
                         for size, cells in zip(image_hw, feature_hw))
        return _row_by_row(rows, columns)

    def cell_of(self, points_m: Float[Tensor, '*batch 3'], bev_grid: BEVGrid) -> Int[Tensor, ' *batch']:
        """Returns the flat cell of each lifted point, -1 outside the grid.

        Args:
            points_m: x, y, z in the LiDAR frame.
            bev_grid: the grid of the cells.
        """
        return bev_grid.cell_of(points_m)


class BEVFusionFrustum(Frustum):
    """The frustum that published BEVFusion weights were trained with.

    Source: mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py. Differences to Frustum:

    1. A depth bin is lifted to its near end, not to its middle: half a bin, 0.25 m, nearer.
    2. Feature cells look from positions spread evenly over the image with both border pixels included, so
       that cells at the border look up to half a stride further out.
    3. Positions are cut to cells towards zero instead of down: the first row and column of cells and the
       height range also take what lies up to one cell (for the height: one whole range) below them.
    4. A pixel's integer coordinate is its upper left corner where LiDAR points are drawn, and where images
       are resized: at a scale of 0.48, 0.26 pixels from where the image content is.
    """

    corner_pixels: ClassVar[bool] = True

    def depth_m(self, device: torch.device) -> Float[Tensor, ' d']:
        """Returns the near end of each bin, in float32."""
        return self.depth_range_m[0] + torch.arange(self.depth_bins, device=device) * self.bin_m

    def pixels(self, image_hw: Tuple[int, int], feature_hw: Tuple[int, int], device: torch.device
               ) -> Float[Tensor, 'p 2']:
        """Returns positions from the first pixel to the last, ends included."""
        return _row_by_row(*(torch.linspace(0, size - 1, cells, device=device)
                             for size, cells in zip(image_hw, feature_hw)))

    def cell_of(self, points_m: Float[Tensor, '*batch 3'], bev_grid: BEVGrid) -> Int[Tensor, ' *batch']:
        """Returns the flat cell of each lifted point, cut towards zero.

        Args:
            points_m: x, y, z in the LiDAR frame.
            bev_grid: the grid of the cells.
        """
        low_m = constant_like(bev_grid.range_m[:3], points_m)
        z_extent_m = bev_grid.range_m[5] - bev_grid.range_m[2]
        size_m = constant_like([bev_grid.cell_m, bev_grid.cell_m, z_extent_m], points_m)
        is_just_below = (points_m < low_m) & (points_m > low_m - size_m)
        return bev_grid.cell_of(torch.where(is_just_below, low_m, points_m))


@torch.no_grad()
def frustum_cells(rig: CameraRig, bev_grid: BEVGrid, frustum: Frustum, image_hw: Tuple[int, int],
                  feature_hw: Tuple[int, int]) -> Int[Tensor, 'b n_cam p d']:
    """Returns the flat cell of each pair, -1 outside the grid and for cameras that are missing.

    In float32 under any autocast.

    Args:
        rig: the cameras.
        bev_grid: the grid to splat on.
        frustum: pixel positions and depths.
        image_hw: rows and columns of an image.
        feature_hw: rows and columns of its feature map.
    """
    device = rig.lidar_from_ray.device
    pixels = frustum.pixels(image_hw, feature_hw, device)
    with torch.autocast(device.type, enabled=False):
        cells = frustum.cell_of(rig.points_at(pixels, frustum.depth_m(device)), bev_grid)
    return cells.masked_fill(~rig.is_present[:, :, None, None], -1)


def _row_by_row(rows: Float[Tensor, ' h'], columns: Float[Tensor, ' w']) -> Float[Tensor, 'p 2']:
    """Returns every (column, row), the columns of the first row first."""
    v, u = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([u, v], dim=-1).flatten(0, 1)
