"""A head's map must lie on the grid, rows along y."""
import pytest
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.heads.feature_map import check_on_grid

GRID = BEVGrid(range_m=(0., 0., 0., 3., 2., 1.), cell_m=1.0)


def test_a_map_on_the_grid_passes_and_its_transpose_does_not():
    check_on_grid(torch.zeros(1, 4, 2, 3), GRID)
    with pytest.raises(ValueError, match=r'\(2, 3\), got \(3, 2\)'):
        check_on_grid(torch.zeros(1, 4, 3, 2), GRID)
