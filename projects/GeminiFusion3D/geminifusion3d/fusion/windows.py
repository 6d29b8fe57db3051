"""Cuts a map into windows for attention, and puts it together again."""
from typing import Sequence

from jaxtyping import Float
from torch import Tensor, nn


def windows_from_cells(cells: Float[Tensor, 'b y x c'], window_yx: Sequence[int], *, heads: int
                       ) -> Float[Tensor, 'windows heads cells d']:
    """Returns the windows row by row, sample after sample; rows and columns that miss are zeros at the end.

    Args:
        cells: a map with channels last.
        window_yx: rows and columns of a window.
        heads: parts into which the channels are split.
    """
    side_y, side_x = window_yx
    cells = nn.functional.pad(cells, (0, 0, 0, -cells.shape[2] % side_x, 0, -cells.shape[1] % side_y))
    windows = cells.unflatten(3, (heads, -1)).unflatten(2, (-1, side_x)).unflatten(1, (-1, side_y))
    # (b, rows, side_y, columns, side_x, heads, d) -> (b, rows, columns, heads, side_y, side_x, d)
    return windows.permute(0, 1, 3, 5, 2, 4, 6).flatten(4, 5).flatten(0, 2)


def cells_from_windows(windows: Float[Tensor, 'windows heads cells d'], window_yx: Sequence[int],
                       shape_yx: Sequence[int]) -> Float[Tensor, 'b y x c']:
    """Returns the map whose windows these are, without the padding.

    Args:
        windows: as `windows_from_cells` returns them.
        window_yx: rows and columns of a window.
        shape_yx: rows and columns of the map.
    """
    (side_y, side_x), (n_y, n_x) = window_yx, shape_yx
    rows, columns = -(-n_y // side_y), -(-n_x // side_x)
    cells = windows.unflatten(2, (side_y, side_x)).unflatten(0, (-1, rows, columns))
    # (b, rows, columns, heads, side_y, side_x, d) -> (b, rows, side_y, columns, side_x, heads, d)
    cells = cells.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4).flatten(1, 2)
    return cells[:, :n_y, :n_x]
