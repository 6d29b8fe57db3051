"""The one bird's-eye-view grid: whoever needs a range, a cell size or a cell count asks it.

A BEV tensor is (B, C, Y, X): row i is y, column j is x, and cell (i, j) covers
[x_min + j * cell, x_min + (j + 1) * cell) by the same in y.
"""
from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Cell counts are derived by division; further from a whole number than this is a config mistake.
_WHOLE_TOLERANCE = 1e-4

# Label of a cell, otherwise 0 or 1, that is neither learned nor scored.
UNKNOWN = 255


@dataclass(frozen=True)
class BEVGrid:
    """Extent and resolution of the BEV map in the LiDAR frame.

    Args:
        range_m: (x_min, y_min, z_min, x_max, y_max, z_max).
        cell_m: side of a square cell.

    Raises:
        ValueError: if the range is empty or is no whole number of cells.
    """

    range_m: Tuple[float, ...]
    cell_m: float

    def __post_init__(self) -> None:
        if len(self.range_m) != 6 or any(
                low >= high for low, high in zip(self.range_m[:3], self.range_m[3:])):
            raise ValueError(f'bev_grid.range_m must be (x_min, y_min, z_min, x_max, y_max, z_max) '
                             f'with min < max, got {self.range_m}')
        for axis, extent_m in zip('xy', self.extent_m):
            if self.cell_m <= 0 or not _is_whole(extent_m / self.cell_m):
                raise ValueError(f'bev_grid: the {axis} extent of {extent_m} m is no whole number of '
                                 f'{self.cell_m} m cells; change range_m or cell_m')

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> 'BEVGrid':
        """Builds the grid from a config's `bev_grid`.

        Args:
            config: `range_m`, a list of six numbers, and `cell_m`.

        Raises:
            ValueError: if a key is missing or unknown.
        """
        if set(config) != {'range_m', 'cell_m'}:
            raise ValueError(f'bev_grid needs range_m and cell_m and nothing else, got {sorted(config)}')
        return cls(range_m=tuple(float(bound) for bound in config['range_m']), cell_m=float(config['cell_m']))

    @property
    def extent_m(self) -> Tuple[float, float]:
        """Length of the grid along x and along y."""
        return self.range_m[3] - self.range_m[0], self.range_m[4] - self.range_m[1]

    @property
    def n_x(self) -> int:
        """Number of columns."""
        return round(self.extent_m[0] / self.cell_m)

    @property
    def n_y(self) -> int:
        """Number of rows."""
        return round(self.extent_m[1] / self.cell_m)

    @property
    def shape_yx(self) -> Tuple[int, int]:
        """(rows, columns) of a BEV tensor."""
        return self.n_y, self.n_x

    def cells_per_voxel_axis(self, voxel_m: Sequence[float], stride: int) -> Tuple[int, int, int]:
        """Counts the voxels along x, y and z of an encoder that reduces them to this grid's cells.

        Args:
            voxel_m: voxel size along x, y, z.
            stride: how many voxels an encoder merges into one cell along x and y.

        Raises:
            ValueError: if stride voxels do not make one cell, or the z range is no whole number.
        """
        for axis, size_m in zip('xy', voxel_m):
            if abs(size_m * stride - self.cell_m) > 1e-6:
                raise ValueError(
                    f'voxels of {size_m} m along {axis} with an encoder stride of {stride} make cells of '
                    f'{size_m * stride:g} m, but bev_grid.cell_m is {self.cell_m:g} m; change one of them')
        n_z = (self.range_m[5] - self.range_m[2]) / voxel_m[2]
        if not _is_whole(n_z):
            raise ValueError(f'the z range {self.range_m[2]}..{self.range_m[5]} m of bev_grid is no whole '
                             f'number of {voxel_m[2]} m voxels')
        return self.n_x * stride, self.n_y * stride, round(n_z)

    def cell_of(self, points_m: Float[Tensor, '*batch 3']) -> Int[Tensor, ' *batch']:
        """Returns the flat cell index i * n_x + j of each point, -1 where it lies outside.

        Args:
            points_m: x, y, z in the LiDAR frame; z outside the range counts as outside.
        """
        axes = points_m.unbind(-1)
        is_inside = torch.ones_like(axes[0], dtype=torch.bool)
        for axis, low_m, high_m in zip(axes, self.range_m[:3], self.range_m[3:]):
            is_inside &= (axis >= low_m) & (axis < high_m)
        # Clamped, for division may round a point just below the upper edge up to it, and a float outside the
        # range of int64 converts to anything.
        column, row = (((axis - low_m) / self.cell_m).clamp_(0, count - 1).long()
                       for axis, low_m, count in zip(axes, self.range_m, (self.n_x, self.n_y)))
        return torch.add(column, row, alpha=self.n_x).masked_fill_(~is_inside, -1)

    def only_map(self, features: Sequence[Float[Tensor, 'b c y x']], head: str) -> Float[Tensor, 'b c y x']:
        """Returns the one feature map that a head gets, which must have this grid's rows and columns.

        Args:
            features: what bev_neck returns.
            head: its name, for the message.

        Raises:
            ValueError: if there are more, or it is another grid's, with both.
        """
        if len(features) != 1:
            raise ValueError(f'{head} reads one map, got {len(features)}; bev_neck must merge its levels')
        shape_yx = tuple(features[0].shape[-2:])
        if shape_yx != self.shape_yx:
            raise ValueError(f'the head\'s feature map must have the grid\'s (Y, X) = {self.shape_yx}, got '
                             f'{shape_yx}; the strides of bev_backbone and bev_neck must cancel')
        return features[0]

    def centres_m(self) -> Float[Tensor, 'y x 2']:
        """Returns the (x, y) centre of every cell."""
        x_m = self.range_m[0] + (torch.arange(self.n_x) + 0.5) * self.cell_m
        y_m = self.range_m[1] + (torch.arange(self.n_y) + 0.5) * self.cell_m
        rows, columns = torch.meshgrid(y_m, x_m, indexing='ij')
        return torch.stack([columns, rows], dim=-1)


def _is_whole(count: float) -> bool:
    return round(count) >= 1 and abs(count - round(count)) < _WHOLE_TOLERANCE
