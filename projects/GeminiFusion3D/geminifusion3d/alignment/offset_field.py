"""A learned local shift of the camera map: lets a fuser that compares cell by cell survive camera BEV
that is smeared or miscalibrated.

A small network sees both maps and says, for every cell, where in the camera map that cell's content
stands. It starts at no shift at all and then returns the very map it was given.

Source: the idea of spatial transformers (Jaderberg et al., NeurIPS 2015) and of feature alignment by
flow (Li et al., Semantic Flow, ECCV 2020). Delta: bounded in metres, exact at zero.
"""
import torch
from jaxtyping import Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid


@MODELS.register_module(name='GeminiOffsetField')
class OffsetField(BaseModule):
    """Predict an offset per cell from both maps and samples the camera map there.

    Args:
        channels: of either map.
        bev_grid: the grid of both maps.
        max_offset_m: bound of the offset along x and along y.
        hidden_channels: between the two convolutions.
        norm_momentum: of the batch norm's running statistics; raise it for a very short training.

    Raises:
        ValueError: if max_offset_m is not positive.
    """

    def __init__(self, *, channels: int, bev_grid: BEVGrid, max_offset_m: float,
                 hidden_channels: int = 64, norm_momentum: float = 0.01) -> None:
        super().__init__()
        if max_offset_m <= 0:
            raise ValueError(f'max_offset_m must be positive, got {max_offset_m}')
        self.max_offset_cells = max_offset_m / bev_grid.cell_m
        self.hidden = ConvModule(2 * channels, hidden_channels, 3, padding=1, bias=False,
                                 norm_cfg=dict(type='BN2d', eps=1e-3, momentum=norm_momentum))
        self.offset = nn.Conv2d(hidden_channels, 2, 3, padding=1)
        self._start_at_zero()

    def init_weights(self) -> None:
        """Initialises as mmengine does, then brings the offsets back to zero."""
        super().init_weights()
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        for parameter in self.offset.parameters():
            nn.init.zeros_(parameter)

    def forward(self, camera: Float[Tensor, 'b c y x'], lidar: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the camera map, each cell taken from where its content stands; zero from outside."""
        shifted = shift_sample(camera, self.offsets_cells(camera, lidar))
        return shifted.contiguous(memory_format=torch.channels_last)

    def offsets_cells(self, camera: Float[Tensor, 'b c y x'], lidar: Float[Tensor, 'b c y x']
                      ) -> Float[Tensor, 'b 2 y x']:
        """Returns (dx, dy) of each cell in float32, in cells: where the camera map shows its content."""
        raw = self.offset(self.hidden(torch.cat([camera, lidar], dim=1))).float()
        return self.max_offset_cells * (raw / self.max_offset_cells).tanh()


def shift_sample(maps: Float[Tensor, 'b c y x'], shift_cells: Float[Tensor, 'b 2 y x']
                 ) -> Float[Tensor, 'b c y x']:
    """Sample a map a little beside each cell, bilinearly; a shift of zero returns the same numbers.

    What lies outside the map is zero.

    Args:
        maps: any floating dtype.
        shift_cells: float32 dx, dy in cells: cell (y, x) shows what stands at (y + dy, x + dx).
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
