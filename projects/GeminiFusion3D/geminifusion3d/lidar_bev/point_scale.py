"""Point features of similar size: raw metres and a raw intensity of up to 255 slow training down."""
import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..ops.device_constants import constant_like

MAX_INTENSITY = 255


def scale_points(points: Float[Tensor, 'n f'], bev_grid: BEVGrid) -> Float[Tensor, 'n f']:
    """Brings positions into [-1, 1] and intensity into [0, 1]; further features stay.

    Args:
        points: x, y, z in metres, intensity, further features.
        bev_grid: whose range becomes [-1, 1].
    """
    low, high = constant_like(bev_grid.range_m, points).chunk(2)
    position = (points[:, :3] - (low + high) / 2) / ((high - low) / 2)
    return torch.cat([position, points[:, 3:4] / MAX_INTENSITY, points[:, 4:]], dim=1)
