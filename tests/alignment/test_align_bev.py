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


def position_map(grid):
    """Returns 3 x + 5 y at each cell's centre: any shift or transposition shows."""
    return (grid.centres_m() * torch.tensor([3.0, 5.0])).sum(-1)[None, None]


def test_another_resolution_and_extent_is_resampled_at_the_right_places():
    resampled = align(branch_grid=BRANCH).resample(position_map(BRANCH))
    assert torch.allclose(resampled, position_map(GRID), atol=1e-4)


def test_a_coarse_branch_that_lies_askew_is_exact_up_to_its_outermost_centres():
    # 2.5 m cells with centres at x from -8.75 to 6.25 and y from -3.75 to 3.75.
    coarse = BEVGrid(range_m=(-10.0, -5.0, -3.0, 7.5, 5.0, 3.0), cell_m=2.5)
    resampled = align(branch_grid=coarse).resample(position_map(coarse))
    assert torch.allclose(resampled, position_map(GRID), atol=1e-4)


def test_a_constant_stays_constant_up_to_the_branchs_edge():
    # The outermost half cell of a 4 m branch holds two columns of the grid.
    coarse = BEVGrid(range_m=(-4.0, -4.0, -3.0, 4.0, 4.0, 3.0), cell_m=4.0)
    resampled = align(branch_grid=coarse).resample(torch.full((1, 1, 2, 2), 3.0))
    assert (resampled[0, 0, :, 2:10] == 3).all()
    assert (resampled[0, 0, :, :2] == 0).all() and (resampled[0, 0, :, 10:] == 0).all()


def test_half_precision_does_not_move_the_places():
    wide = BEVGrid(range_m=(-60.0, -40.0, -3.0, 60.0, 40.0, 3.0), cell_m=0.1)
    place = torch.zeros(1, 1, 800, 1200)
    place[0, 0, 405:415, 605:615] = 1  # x and y from 0.5 to 1.5 m
    layer = AlignBEV(in_channels=1, out_channels=1, bev_grid=GRID, branch_grid=wide)
    exact = layer.resample(place)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = layer.resample(place.bfloat16())
    # A cell of the branch more or less in the average of four would be 0.25.
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), exact, atol=0.01)


def test_a_config_may_name_the_branchs_grid():
    named = dict(range_m=[-8.0, -6.0, -3.0, 8.0, 6.0, 3.0], cell_m=0.5)
    assert align(branch_grid=named).branch_grid == BRANCH


def test_without_a_projection_the_map_passes_and_only_the_stand_in_learns():
    layer = align(project=False).train()
    bev = torch.randn(2, 1, 8, 12)
    assert torch.equal(layer(bev, torch.tensor([True, True])), bev)
    assert [name for name, _ in layer.named_parameters()] == ['stand_in']
    layer(bev, torch.tensor([True, False])).sum().backward()
    assert layer.stand_in.grad.tolist() == [96.0]
    with pytest.raises(ValueError, match='in_channels=2 and out_channels=3'):
        AlignBEV(in_channels=2, out_channels=3, bev_grid=GRID, project=False)


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
