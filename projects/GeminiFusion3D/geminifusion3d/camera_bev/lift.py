"""Says which BEV cell each (pixel, depth) pair of each camera falls into.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1: the frustum, here as cell
indices only.
"""
from typing import Sequence, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig


def depth_bin_centres_m(depth_range_m: Sequence[float], depth_bins: int
                        ) -> Float[Tensor, ' d']:
    """Returns the middles of `depth_bins` equal bins."""
    near_m, far_m = depth_range_m
    return near_m + (torch.arange(depth_bins) + 0.5) * (far_m - near_m) / depth_bins


def feature_pixels(shape_hw: Tuple[int, int], stride: int) -> Float[Tensor, 'p 2']:
    """Returns the image position (u, v) of the centre of each feature cell, row by row.

    Integer coordinates are pixel centres: cell 0 of stride 8 covers pixels 0..7, centre 3.5.
    """
    rows, columns = torch.meshgrid(*(torch.arange(size) for size in shape_hw), indexing='ij')
    return (torch.stack([columns, rows], dim=-1).flatten(0, 1) + 0.5) * stride - 0.5


@torch.no_grad()
def frustum_cells(rig: CameraRig, bev_grid: BEVGrid, shape_hw: Tuple[int, int], stride: int,
                  depth_m: Float[Tensor, ' d']) -> Int[Tensor, 'b n_cam p d']:
    """Returns the flat cell of each pair, -1 outside the grid and for cameras that are missing.

    In float32 under any autocast.

    Args:
        rig: the cameras.
        bev_grid: the grid to splat on.
        shape_hw: rows and columns of the image feature.
        stride: image pixels a feature cell.
        depth_m: depth bin centres.
    """
    pixels = feature_pixels(shape_hw, stride).to(depth_m)
    with torch.autocast(depth_m.device.type, enabled=False):
        cells = bev_grid.cell_of(rig.points_at(pixels, depth_m))
    return cells.where(rig.is_present[:, :, None, None], cells.new_tensor(-1))
