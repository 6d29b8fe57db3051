"""The LiDAR branch: points light up the cells where they stand; empty clouds pass."""
import pytest
import torch
from tiny_detector import SMALL_GRID, build_detector

from geminifusion3d.geometry.bev_grid import BEVGrid


@pytest.fixture(scope='module')
def branch():
    """Returns the demo's LiDAR branch in evaluation mode."""
    return build_detector().lidar_branch.eval()


@torch.no_grad()
def test_a_point_lights_the_cell_where_it_stands_and_not_its_mirror_image(branch):
    point = torch.tensor([[7.4, -4.6, -1.0, 100.0, 0.0]])
    bev = branch([point])
    assert bev.shape == (1, 96, 16, 24)
    row, column = divmod(BEVGrid.from_config(SMALL_GRID).cell_of(point[:, :3]).item(), 24)
    lit = bev[0].abs().sum(0)
    rows, columns = lit.nonzero(as_tuple=True)
    # Sparse convolutions spread a point by a cell or two, never across the grid.
    assert lit[row, column] > 0
    assert (rows - row).abs().max() <= 2 and (columns - column).abs().max() <= 2


@torch.no_grad()
def test_empty_clouds_give_zeros_beside_full_ones_and_alone(branch):
    cloud, empty = torch.rand(50, 5) * 4, torch.zeros(0, 5)
    bev = branch([empty, cloud, empty])
    assert (bev[[0, 2]] == 0).all()
    assert torch.allclose(bev[1:2], branch([cloud]), atol=1e-6)
    alone = branch([empty, empty])
    assert alone.shape == (2, 96, 16, 24) and (alone == 0).all()


@torch.no_grad()
def test_the_order_of_points_does_not_matter(branch):
    cloud = torch.rand(200, 5) * 6
    shuffled = cloud[torch.randperm(200)]
    assert torch.allclose(branch([cloud]), branch([shuffled]), atol=1e-4)
