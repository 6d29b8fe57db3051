"""A map of what moved between the newest and the oldest sweep of a cloud, for what a head reads.

What a head would have to learn through the LiDAR branch, the BEV backbone and the neck is measured here: how
far the points around a cell lie apart in the two sweeps, over the time between them. Own; no paper.
"""
from typing import Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_groups import group_points, mean_per_voxel

TIME = 4  # the column of seconds before the keyframe, see GeminiLoadPoints
# Points whose ages differ by less come from one sweep: half a turn of nuScenes' LiDAR.
SAME_SWEEP_S = 0.025
# Becomes 1: a car in town is at a few of these, people at a third.
SPEED_MPS = 4.0


@MODELS.register_module(name='GeminiSweepMotion')
class SweepMotion(BaseModule):
    """Measures per cell how much is there in the two sweeps and how its middle moved, and learns to read it.

    Two convolutions without bias: where nothing was measured, or the LiDAR is absent, nothing is added.

    Args:
        bev_grid: the model's grid.
        out_channels: of the neck's map, to which the result is added.
        windows_cells: sides of the squares around a cell in which middles are compared: small for what is
            small, large for what is large or fast.
        above_m: points below this height in the LiDAR frame are the ground's and do not count.

    Raises:
        ValueError: if a window has no middle cell, or the grid ends below above_m.
    """

    def __init__(self, *, bev_grid: BEVGrid, out_channels: int, windows_cells: Sequence[int], above_m: float
                 ) -> None:
        super().__init__()
        if not windows_cells or any(side < 1 or side % 2 == 0 for side in windows_cells):
            raise ValueError(f'windows_cells={list(windows_cells)} has a window without a middle cell; '
                             'expected odd numbers of cells')
        if above_m >= bev_grid.range_m[5]:
            raise ValueError(f'above_m={above_m} leaves no point of a grid that ends at '
                             f'{bev_grid.range_m[5]} m; expected less')
        self.bev_grid, self.windows_cells, self.above_m = bev_grid, tuple(windows_cells), above_m
        self.read = nn.Sequential(
            nn.Conv2d(self.in_channels, out_channels, 3, padding=1, bias=False), nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False))

    @property
    def in_channels(self) -> int:
        """Number of channels that are measured: two of points, two of each window's velocity."""
        return 2 + 2 * len(self.windows_cells)

    @torch.no_grad()
    def measure(self, points: Sequence[Float[Tensor, '_ f']]) -> Float[Tensor, 'b c y x']:
        """Returns ln(1 + points) of newest and oldest sweep, then x, y velocity in each window, over 4 m/s.

        A velocity is 0 where one of the sweeps has no point in the window; a cloud of one sweep has neither
        an oldest sweep nor velocities.

        Args:
            points: per sample one cloud of x, y, z in metres, intensity, seconds before the keyframe.

        Raises:
            ValueError: if points have no age.
        """
        if points[0].shape[1] <= TIME:
            raise ValueError(f'GeminiSweepMotion got points of {points[0].shape[1]} columns; expected x, y, '
                             'z, intensity, seconds before the keyframe: load sweeps by GeminiLoadPoints')
        placed, seconds = zip(*(self._in_layers(cloud.float()) for cloud in points))
        new, old = self._sums(placed).unbind(1)
        to_speed = 1 / (SPEED_MPS * torch.stack(seconds).view(-1, 1, 1, 1))
        return torch.cat([new[:, :1].log1p(), old[:, :1].log1p(), *(
            _displacement_m(new, old, side) * to_speed for side in self.windows_cells)], dim=1)

    def forward(self, moved: Float[Tensor, 'b c y x']) -> Float[Tensor, 'b d y x']:
        """Returns what is added to the neck's map.

        Args:
            moved: what `measure` returns.
        """
        return self.read(moved)

    def _in_layers(self, cloud: Float[Tensor, 'n f']) -> Tuple[Float[Tensor, 'n 3'], Tensor]:
        """Returns x, y and 0.5 in the newest, 1.5 in the oldest sweep, else -1; the seconds between them."""
        if not len(cloud):
            return cloud[:, :3], cloud.new_ones(())
        x_m, y_m, z_m, age_s = (cloud[:, column] for column in (0, 1, 2, TIME))
        newest_s, oldest_s = age_s.aminmax()
        is_new = age_s < newest_s + SAME_SWEEP_S
        is_old = (age_s > oldest_s - SAME_SWEEP_S) & ~is_new
        counts = (z_m >= self.above_m) & (z_m < self.bev_grid.range_m[5])
        layer = torch.where(counts & is_new, 0.5, torch.where(counts & is_old, 1.5, -1.0))
        return torch.stack([x_m, y_m, layer], dim=1), (oldest_s - newest_s).clamp(min=SAME_SWEEP_S)

    def _sums(self, placed: Sequence[Float[Tensor, '_ 3']]) -> Float[Tensor, 'b 2 3 y x']:
        """Returns the number of points per layer and cell, and the sums of their x and y in metres."""
        grid = self.bev_grid
        groups = group_points(placed, (*grid.range_m[:2], 0.0, *grid.range_m[3:5], 2.0),
                              (grid.cell_m, grid.cell_m, 1.0), (grid.n_x, grid.n_y, 2))
        count = groups.offsets.diff().unsqueeze(1)
        sums = torch.cat([count, count * mean_per_voxel(groups.points[:, :2], groups)], dim=1)
        dense = sums.new_zeros(len(placed), 2, *grid.shape_yx, 3)
        dense[groups.coordinates_bzyx.unbind(1)] = sums
        return dense.permute(0, 1, 4, 2, 3).contiguous()


def _displacement_m(new: Float[Tensor, 'b 3 y x'], old: Float[Tensor, 'b 3 y x'], side: int
                    ) -> Float[Tensor, 'b 2 y x']:
    """Returns how far the middles of the points in a square around each cell lie apart; 0 without points."""
    (new_count, new_sum), (old_count, old_sum) = (
        _pooled(sums, side).split([1, 2], dim=1) for sums in (new, old))
    is_seen = (new_count > 0) & (old_count > 0)
    return (new_sum / new_count - old_sum / old_count).where(is_seen, 0.0)


def _pooled(sums: Float[Tensor, 'b 3 y x'], side: int) -> Float[Tensor, 'b 3 y x']:
    """Averages over squares: columns of cells, then rows of columns, which is side / 2 times less to add."""
    columns = avg_pool2d(sums, (side, 1), stride=1, padding=(side // 2, 0))
    return avg_pool2d(columns, (1, side), stride=1, padding=(0, side // 2))
