"""Pooling: sums and averages by hand, each sample in its own map."""
import torch

from geminifusion3d.camera_bev.bev_pool import plan_pool, pool_to_bev
from geminifusion3d.geometry.bev_grid import BEVGrid

GRID = BEVGrid(range_m=(0.0, 0.0, 0.0, 3.0, 2.0, 1.0), cell_m=1.0)


def test_an_average_does_not_depend_on_how_many_pixels_a_cell_collects():
    # One pixel of weight 0.5 in cell 0, three of weight 0.25 in cell 1, the same feature in all.
    depth = torch.tensor([[0.5, 0.25, 0.25, 0.25]])[:, None, None]  # (1, D, 1, w)
    context = torch.full((1, 3, 1, 4), 7.0)
    cells = torch.tensor([0, 1, 1, 1]).view(1, 1, 4, 1)
    plan = plan_pool(cells, (1, 4), GRID)
    averaged = pool_to_bev(context, depth, plan, GRID, average=True)
    assert averaged.shape == (1, 3, 2, 3)
    assert torch.equal(averaged[0, :, 0], torch.tensor([7.0, 7.0, 0.0]).expand(3, 3))
    summed = pool_to_bev(context, depth, plan, GRID, average=False)
    assert torch.equal(summed[0, 0, 0], torch.tensor([3.5, 5.25, 0.0]))


def test_each_sample_fills_its_own_map_and_pairs_outside_fill_none():
    depth = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[:, None, None]
    context = torch.ones(2, 1, 1, 2)
    cells = torch.tensor([[4, -1], [0, 4]]).view(2, 1, 2, 1)
    bev = pool_to_bev(context, depth, plan_pool(cells, (1, 2), GRID), GRID, average=False)
    # Cell 4 is row 1, column 1.
    assert bev[:, 0].tolist() == [[[0, 0, 0], [0, 1, 0]], [[3, 0, 0], [0, 4, 0]]]
