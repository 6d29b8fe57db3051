"""The LiDAR branch: points light up the cells where they stand; empty clouds pass."""
import copy

import pytest
import torch
from mmengine.config import Config
from tiny_detector import CONFIG, SMALL_GRID, build_detector

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.lidar_branch import LidarBranch


@pytest.fixture(scope='module')
def branch():
    """Returns the demo's LiDAR branch in evaluation mode."""
    return build_detector().lidar_branch.eval()


def make_branch(**replaced):
    """Returns the demo's LiDAR branch with some arguments replaced, in evaluation mode."""
    config = {**Config.fromfile(CONFIG).model.lidar_branch, **replaced}
    config.pop('type')
    return LidarBranch(bev_grid=BEVGrid.from_config(SMALL_GRID), **config).eval()


@torch.no_grad()
def test_a_point_lights_the_cell_where_it_stands_and_not_its_mirror_image(branch):
    point = torch.tensor([[7.4, -4.6, -1.0, 100.0, 0.0]])
    bev = branch([point])
    assert bev.shape == (1, 32, 16, 24)
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
    assert alone.shape == (2, 32, 16, 24) and (alone == 0).all()


@torch.no_grad()
def test_the_order_of_points_does_not_matter(branch):
    cloud = torch.rand(200, 5) * 6
    shuffled = cloud[torch.randperm(200)]
    assert torch.allclose(branch([cloud]), branch([shuffled]), atol=1e-4)


def test_every_parameter_gets_a_finite_gradient_whatever_is_empty(branch):
    cloud, empty = torch.rand(50, 5) * 4, torch.zeros(0, 5)
    # The last clouds leave two voxels, of which the deeper stages make one, and a single one.
    for clouds in ([empty, empty], [cloud, empty], [empty, torch.tensor([[1.0] * 5, [1.3] * 5])],
                   [torch.ones(1, 5)]):
        trained = copy.deepcopy(branch).train()
        trained(clouds).square().sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in trained.parameters())
        assert all(torch.isfinite(buffer).all() for buffer in trained.buffers())


@torch.no_grad()
def test_hard_voxels_and_raw_features_are_a_matter_of_the_config(branch):
    hard = dict(type='GeminiHardVoxelization', max_points=1000, max_voxels=[1000, 1000])
    generous, raw = make_branch(voxelization=hard), make_branch(scale_features=False)
    for other in (generous, raw):
        other.load_state_dict(branch.state_dict())
    cloud = torch.rand(200, 5) * 6
    assert torch.allclose(generous([cloud]), branch([cloud]), atol=1e-5)
    # The grid's range is symmetric: 12, 8 and 3 metres to each side.
    scale = torch.tensor([12.0, 8.0, 3.0, 255.0, 1.0])
    shrunk = raw.voxel_encoder(branch.voxelization([cloud])) / scale
    assert torch.allclose(branch.voxel_encoder(branch.voxelization([cloud])), shrunk, atol=1e-6)
