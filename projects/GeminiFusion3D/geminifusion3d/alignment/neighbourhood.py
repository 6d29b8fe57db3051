"""A twin that is looked for nearby: for fusers that compare cell by cell, where the camera map stands aside.

Each LiDAR cell attends to the k x k camera cells around its twin, and what it reads takes the twin's place.
Per head of d channels, with LiDAR cell x, camera cell y_o at the offset o from it, and a learned b_o:

    a_o  = softmax over the offsets of (Wq x . Wk y_o / sqrt(d) + b_o)
    twin = sum over o of a_o y_o

The camera map moves and not the LiDAR's, which is the one that was measured in metres. The offset field moves
by any length and reads one place per cell; this one mixes a few whole cells.

Source: neighbourhood attention (Hassani et al., CVPR 2023). The delta: between two maps, values as they are,
so that a constant map stays what it is; cells outside the map are not read.
"""
from itertools import product
from typing import List

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid

# What the bias of a neighbour is at the start: of nine cells the twin itself has 71 %.
NEIGHBOUR_BIAS = -3.0


@MODELS.register_module(name='GeminiNeighbourhood')
class Neighbourhood(BaseModule):
    """Reads, for every LiDAR cell, the camera cells up to a distance around its twin.

    Args:
        channels: C of either map.
        bev_grid: the grid of both maps.
        reach_m: how far along x and along y; k = 2 * whole cells in it + 1, and below a cell the map stays.
        heads: attention heads; must divide C.

    Raises:
        ValueError: if reach_m is negative or heads does not divide channels.
    """

    def __init__(self, *, channels: int, bev_grid: BEVGrid, reach_m: float, heads: int = 4) -> None:
        super().__init__()
        if reach_m < 0 or channels % heads:
            raise ValueError(f'got reach_m={reach_m} and {heads} heads for {channels} channels; expected a '
                             'reach of 0 or more and heads that divide the channels')
        # A reach of exactly so many cells may come out a little less.
        self.reach = int(reach_m / bev_grid.cell_m + 1e-6)
        self.heads = heads
        self.q_proj = nn.Conv2d(channels, channels, 1)
        self.k_proj = nn.Conv2d(channels, channels, 1)
        steps = range(-self.reach, self.reach + 1)
        self.offsets_yx = list(product(steps, steps))
        self.bias = nn.Parameter(torch.tensor([[0.0 if offset == (0, 0) else NEIGHBOUR_BIAS] * heads
                                               for offset in self.offsets_yx]))

    def forward(self, camera: Float[Tensor, 'b c y x'], lidar: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the camera map as the LiDAR's cells read it."""
        query, keys = self.q_proj(lidar), self._around(self.k_proj(camera))
        dtype = torch.promote_types(query.dtype, torch.float32)
        logits = torch.stack([self._per_head(query * key).sum(dim=2, dtype=dtype) for key in keys])
        logits = logits * (camera.shape[1] // self.heads) ** -0.5 + self.bias[:, None, :, None, None]
        inside = torch.stack(self._around(torch.ones_like(camera[:1, :1])))
        shares = logits.where(inside > 0, float('-inf')).softmax(dim=0).to(camera.dtype)
        read = torch.zeros_like(self._per_head(camera))
        for share, cells in zip(shares, self._around(camera)):
            read = read + share.unsqueeze(2) * self._per_head(cells)
        return read.flatten(1, 2)

    def _around(self, bev: Float[Tensor, 'b c y x']) -> List[Tensor]:
        """Returns the map once per offset, moved so that each cell shows its neighbour; zero outside."""
        (n_y, n_x), reach = bev.shape[-2:], self.reach
        padded = F.pad(bev, (reach,) * 4)
        return [padded[..., reach + dy:reach + dy + n_y, reach + dx:reach + dx + n_x]
                for dy, dx in self.offsets_yx]

    def _per_head(self, bev: Float[Tensor, 'b c y x']) -> Float[Tensor, 'b heads d y x']:
        return bev.unflatten(1, (self.heads, -1))
