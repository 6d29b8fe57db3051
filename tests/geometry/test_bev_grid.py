"""BEVGrid: counts, cells and refusals by hand, on a grid that is not square."""
import pytest
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid

# 6 m along x, 4 m along y, cells of 0.5 m: 12 columns, 8 rows.
GRID = BEVGrid(range_m=(-2.0, -1.0, -3.0, 4.0, 3.0, 1.0), cell_m=0.5)


def test_counts_follow_from_range_and_cell():
    assert (GRID.n_x, GRID.n_y, GRID.shape_yx) == (12, 8, (8, 12))


@pytest.mark.parametrize('point_m, cell', [
    ((-2.0, -1.0, 0.0), 0),            # the lower corner belongs to cell (0, 0)
    ((-1.5, -1.0, 0.0), 1),            # one cell further along x
    ((-2.0, -0.5, 0.0), 12),           # one cell further along y: a whole row
    ((3.99, 2.99, 0.0), 7 * 12 + 11),  # the last cell
    ((4.0, 0.0, 0.0), -1),             # the upper edge is outside
    ((0.0, 3.0, 0.0), -1),
    ((0.0, 0.0, 1.0), -1),             # too high
    ((float('nan'), 0.0, 0.0), -1),
    ((1e30, 0.0, 0.0), -1)])
def test_a_point_falls_into_the_cell_that_covers_it(point_m, cell):
    assert GRID.cell_of(torch.tensor([point_m])).item() == cell


def test_a_map_on_the_grid_passes_and_its_transpose_does_not():
    bev = torch.zeros(1, 4, 8, 12)
    assert GRID.only_map([bev], 'the head') is bev
    with pytest.raises(ValueError, match=r'\(8, 12\), got \(12, 8\)'):
        GRID.only_map([torch.zeros(1, 4, 12, 8)], 'the head')


def test_cell_centres_fall_into_their_own_cells():
    centres_m = torch.cat([GRID.centres_m(), torch.zeros(8, 12, 1)], dim=-1)
    assert torch.equal(GRID.cell_of(centres_m).flatten(), torch.arange(96))


def test_a_range_that_is_no_whole_number_of_cells_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r'x extent of 6.0 m .* 0.7 m cells'):
        BEVGrid(range_m=GRID.range_m, cell_m=0.7)


def test_an_empty_range_is_refused():
    with pytest.raises(ValueError, match='min < max'):
        BEVGrid(range_m=(1, 0, 0, 1, 1, 1), cell_m=0.5)


def test_voxels_that_do_not_add_up_to_cells_are_refused_with_both_values():
    assert GRID.cells_per_voxel_axis((0.125, 0.125, 0.5), 4) == (48, 32, 8)
    with pytest.raises(ValueError, match=r'cells of 0.4 m, but bev_grid.cell_m is 0.5 m'):
        GRID.cells_per_voxel_axis((0.1, 0.1, 0.5), 4)
    with pytest.raises(ValueError, match='z range'):
        GRID.cells_per_voxel_axis((0.125, 0.125, 0.3), 4)
