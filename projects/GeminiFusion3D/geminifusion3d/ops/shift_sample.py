"""Samples a map a little beside each cell, bilinearly; a shift of zero returns the same numbers."""
import torch
from torch import Tensor
from torch.nn import functional as F


def shift_sample(maps: Tensor, shift_cells: Tensor) -> Tensor:
    """Returns maps[y + dy, x + dx] for every cell; what lies outside the map is zero.

    Args:
        maps: (B, C, Y, X).
        shift_cells: (B, 2, Y, X) float32 dx, dy in cells.
    """
    n_y, n_x = maps.shape[-2:]
    # On a map of 2^k cells a cell's centre is a short binary fraction of the width, so that the
    # coordinates of grid_sample lose nothing on the way there and back.
    padded_y, padded_x = _next_power_of_two(n_y), _next_power_of_two(n_x)
    padded = F.pad(maps.float(), (0, padded_x - n_x, 0, padded_y - n_y))
    x = torch.arange(n_x, device=maps.device) + shift_cells[:, 0]
    y = torch.arange(n_y, device=maps.device).unsqueeze(1) + shift_cells[:, 1]
    # Cell i has its centre at (2 i + 1) / n - 1, where -1 and 1 are the outer edges.
    positions = torch.stack([(2 * x + 1) / padded_x - 1, (2 * y + 1) / padded_y - 1], dim=-1)
    with torch.autocast(maps.device.type, enabled=False):
        return F.grid_sample(padded, positions, align_corners=False).to(maps.dtype)


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()
