"""Converts between boxes and the ten numbers that a query regresses.

Source: Bai et al., TransFusion, CVPR 2022; the code of mmdet3d's projects/BEVFusion (utils.py). Here
both ways are functions of the grid, and neither changes what it is given.
"""
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..ops.device_constants import constant_like

CODE_SIZE = 10


@dataclass(frozen=True)
class BoxCoder:
    """Converts bottom-centre boxes (x, y, z, l, w, h, yaw, vx, vy) to codes and back.

    A code is x and y in cells from the grid's corner, z of the gravity centre in metres, log l, log w, log h,
    sin yaw, cos yaw, vx, vy.

    Args:
        bev_grid: where cells count from, and how large they are.
    """

    bev_grid: BEVGrid

    def encode(self, boxes: Float[Tensor, '*n 9']) -> Float[Tensor, '*n 10']:
        """Returns the codes of boxes; an unknown (NaN) velocity stays NaN.

        Args:
            boxes: bottom-centre boxes.
        """
        centre_xy_cells = (boxes[..., :2] - self._corner_xy_m(boxes)) / self.bev_grid.cell_m
        gravity_z_m = boxes[..., 2:3] + boxes[..., 5:6] / 2
        yaw_rad = boxes[..., 6:7]
        return torch.cat([centre_xy_cells, gravity_z_m, boxes[..., 3:6].log(), yaw_rad.sin(),
                          yaw_rad.cos(), boxes[..., 7:9]], dim=-1)

    def decode(self, codes: Float[Tensor, '*n 10']) -> Float[Tensor, '*n 9']:
        """Returns the bottom-centre boxes of codes, in float32.

        Args:
            codes: box codes.
        """
        codes = codes.float()
        centre_xy_m = codes[..., :2] * self.bev_grid.cell_m + self._corner_xy_m(codes)
        size_lwh_m = codes[..., 3:6].exp()
        bottom_z_m = codes[..., 2:3] - size_lwh_m[..., 2:3] / 2
        yaw_rad = torch.atan2(codes[..., 6:7], codes[..., 7:8])
        return torch.cat([centre_xy_m, bottom_z_m, size_lwh_m, yaw_rad, codes[..., 8:10]], dim=-1)

    def _corner_xy_m(self, like: Float[Tensor, '...']) -> Float[Tensor, ' 2']:
        return constant_like(self.bev_grid.range_m[:2], like)
