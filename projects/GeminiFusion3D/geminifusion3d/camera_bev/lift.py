"""Says which BEV cell each (pixel, depth) pair of each camera falls into.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1: the frustum, here as cell
indices only.
"""
from dataclasses import dataclass
from typing import ClassVar, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig


@dataclass(frozen=True)
class Frustum:
    """What a feature cell and a depth bin stand for: their centres.

    Attributes:
        depth_range_m: near and far end of the bins, along the optical axis.
        depth_bins: number of equal bins; bin k covers [near + k * bin_m, near + (k + 1) * bin_m).
        to_corner_px: how far the upper left corner of a pixel lies from its integer coordinate.
    """

    depth_range_m: Tuple[float, float]
    depth_bins: int
    to_corner_px: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        near_m, far_m = self.depth_range_m
        if not 0 < near_m < far_m or self.depth_bins < 1:
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
        """Returns the image position (u, v) that each feature cell looks from, row by row.

        Integer coordinates are pixel centres: cell 0 of stride 8 covers pixels 0..7, centre 3.5.
        """
        rows, columns = ((torch.arange(cells, device=device) + 0.5) * (size / cells) - 0.5
                         for size, cells in zip(image_hw, feature_hw))
        return row_by_row(rows, columns)

    def cell_of(self, points_m: Float[Tensor, '*batch 3'], bev_grid: BEVGrid) -> Int[Tensor, ' *batch']:
        """Returns the flat cell of each lifted point, -1 outside the grid."""
        return bev_grid.cell_of(points_m)


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
        feature_hw: rows and columns of its feature.
    """
    device = rig.lidar_from_ray.device
    pixels = frustum.pixels(image_hw, feature_hw, device)
    with torch.autocast(device.type, enabled=False):
        cells = frustum.cell_of(rig.points_at(pixels, frustum.depth_m(device)), bev_grid)
    return cells.masked_fill(~rig.is_present[:, :, None, None], -1)


def row_by_row(rows: Float[Tensor, ' h'], columns: Float[Tensor, ' w']) -> Float[Tensor, 'p 2']:
    """Returns every (column, row), the columns of the first row first."""
    v, u = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([u, v], dim=-1).flatten(0, 1)
