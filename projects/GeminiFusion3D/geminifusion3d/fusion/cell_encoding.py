"""Where a cell lies, multiplied into the maps before a fuser that compares cell by cell and knows no place.

How far a sensor is to be trusted depends on the place: the depth of a camera is worse, and a LiDAR has fewer
points, the farther a cell lies. GeminiFusion's own formula cannot know it.

Source: the range encoding of DH-Fusion, which found the product better than a sum and than more channels. The
delta: the bearing too, the logarithm of the range, and a start at no change at all.
"""
from typing import Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid


@MODELS.register_module()
class GeminiCellEncoding(BaseModule):
    """Multiplies each map by 1 + e, with e = MLP(log(1 + range), sin bearing, cos bearing) of the cell.

    Every map has channels of its own in e, which is zero at the start.

    Args:
        channels: C of every map.
        bev_grid: the grid of the maps.
        modalities: N, how many maps there are.
        hidden_channels: between the two layers.
    """

    def __init__(self, *, channels: int, bev_grid: BEVGrid, modalities: int = 2, hidden_channels: int = 32
                 ) -> None:
        super().__init__()
        self.modalities = modalities
        self.register_buffer('places', cell_places(bev_grid), persistent=False)
        self.encode = nn.Sequential(nn.Conv2d(3, hidden_channels, 1), nn.ReLU(),
                                    nn.Conv2d(hidden_channels, modalities * channels, 1))
        for parameter in self.encode[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, *maps: Tensor) -> Tuple[Float[Tensor, 'b c y x'], ...]:
        """Returns the maps, each multiplied by its part of the encoding.

        Args:
            *maps: each (B, C, Y, X) of the model's grid, always in the same order.

        Raises:
            ValueError: if a map is not of the grid.
        """
        places = self.get_buffer('places')
        for bev in maps:
            if bev.shape[-2:] != places.shape[-2:]:
                raise ValueError(f'a cell encoding of (Y, X) = {tuple(places.shape[-2:])} cells got a map '
                                 f'{tuple(bev.shape)}; align the maps with the model\'s bev_grid first')
        factors = (1 + self.encode(places)).chunk(self.modalities, dim=1)
        return tuple(bev * factor.to(bev.dtype) for bev, factor in zip(maps, factors))


def cell_places(bev_grid: BEVGrid) -> Float[Tensor, '1 3 y x']:
    """Returns log(1 + range in metres), sine and cosine of the bearing of each cell's centre."""
    x_m, y_m = bev_grid.centres_m().unbind(dim=-1)
    bearing_rad = torch.atan2(y_m, x_m)
    return torch.stack([torch.hypot(x_m, y_m).log1p(), bearing_rad.sin(), bearing_rad.cos()]).unsqueeze(0)
