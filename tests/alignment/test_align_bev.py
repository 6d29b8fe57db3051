"""Alignment: a linear function of position survives resampling, wrong shapes do not pass."""
import pytest
import torch

from geminifusion3d.alignment.align_bev import AlignBEV
from geminifusion3d.geometry.bev_grid import BEVGrid

# 12 x 8 cells of 1 m; the branch covers 2 m more on each side, in cells of 0.5 m.
GRID = BEVGrid(range_m=(-6.0, -4.0, -3.0, 6.0, 4.0, 3.0), cell_m=1.0)
BRANCH = BEVGrid(range_m=(-8.0, -6.0, -3.0, 8.0, 6.0, 3.0), cell_m=0.5)


def align(**grids):
    """Returns an alignment of one channel to one."""
    return AlignBEV(in_channels=1, out_channels=1, bev_grid=GRID, **grids)


def test_another_resolution_and_extent_is_resampled_at_the_right_places():
    def position_map(grid):  # 3 x + 5 y at each cell's centre: any shift or transposition shows
        return (grid.centres_m() * torch.tensor([3.0, 5.0])).sum(-1)[None, None]
    resampled = align(branch_grid=BRANCH).resample(position_map(BRANCH))
    assert torch.allclose(resampled, position_map(GRID), atol=1e-4)


def test_outside_the_branch_is_zero():
    small = BEVGrid(range_m=(-2.0, -2.0, -3.0, 2.0, 2.0, 3.0), cell_m=1.0)
    resampled = align(branch_grid=small).resample(torch.ones(1, 1, 4, 4))
    assert resampled.shape == (1, 1, 8, 12)
    assert resampled.sum() == 16 and (resampled[0, 0, 2:6, 4:8] == 1).all()


def test_a_branch_on_the_grid_passes_untouched():
    bev = torch.randn(2, 1, 8, 12)
    assert align().resample(bev) is bev


def test_a_transposed_map_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r'\(Y, X\)|8, 12.*12, 8.*transposed'):
        align()(torch.randn(1, 1, 12, 8), torch.tensor([True]))


def test_a_learned_feature_stands_in_for_a_missing_sensor_of_that_sample_alone():
    layer = align().eval()
    layer.stand_in.data.fill_(7.0)
    bev = torch.randn(2, 1, 8, 12)
    mixed = layer(bev, torch.tensor([True, False]))
    assert (mixed[1] == 7).all()
    assert torch.allclose(mixed[:1], layer(bev[:1], torch.tensor([True])), atol=1e-6)
