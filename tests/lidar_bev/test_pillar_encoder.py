"""Pillars on the grid: what stands somewhere lights the cell there; sizes come from the grid."""
import pytest
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.lidar_branch import LidarBranch
from geminifusion3d.lidar_bev.pillar_encoder import PillarEncoder

# 24 columns, 16 rows; four pillars a cell and axis.
GRID = BEVGrid(range_m=(-12.0, -8.0, -3.0, 12.0, 8.0, 3.0), cell_m=1.0)
STAGES = dict(type='SECOND', out_channels=[16, 24], layer_nums=[0, 0], layer_strides=[2, 2])
ENCODER = dict(type='GeminiPillarEncoder', in_channels=8, stages=STAGES)
NETWORK = dict(type='GeminiPillarFeatureNet', in_channels=5, channels=[8])


def make_branch():
    """Returns a branch of 0.25 m pillars."""
    torch.manual_seed(0)
    return LidarBranch(bev_grid=GRID, voxel_m=(0.25, 0.25, 6.0), encoder=ENCODER, voxel_encoder=NETWORK)


@torch.no_grad()
def test_a_point_lights_the_cell_where_it_stands_and_not_its_mirror_image():
    branch = make_branch().eval()
    point = torch.tensor([[7.4, -4.6, -1.0, 100.0, 0.0]])
    lit = (branch([point]) - branch([torch.zeros(0, 5)]))[0].abs().sum(0)
    assert lit.shape == (16, 24)
    row, column = divmod(GRID.cell_of(point[:, :3]).item(), 24)
    rows, columns = lit.nonzero(as_tuple=True)
    assert lit[row, column] > 0
    assert (rows - row).abs().max() <= 1 and (columns - column).abs().max() <= 1


@torch.no_grad()
def test_a_sample_does_not_depend_on_those_beside_it():
    branch = make_branch().eval()
    cloud, empty = torch.rand(200, 5) * 6, torch.zeros(0, 5)
    bev = branch([empty, cloud, empty])
    assert torch.allclose(bev[1:2], branch([cloud]), atol=1e-5)
    assert torch.allclose(bev[[0, 2]], branch([empty, empty]), atol=1e-6)


def test_pillars_that_do_not_lead_to_the_cells_or_leave_height_are_refused():
    with pytest.raises(ValueError, match=r'cells of 0.8 m, but bev_grid.cell_m is 1 m'):
        PillarEncoder(in_channels=8, bev_grid=GRID, voxel_m=(0.2, 0.2, 6.0), stages=STAGES)
    with pytest.raises(ValueError, match=r'-3.0..3.0 m, got voxel_m\[2\] = 2.0 m'):
        PillarEncoder(in_channels=8, bev_grid=GRID, voxel_m=(0.25, 0.25, 2.0), stages=STAGES)


def test_every_parameter_gets_a_finite_gradient_whatever_is_empty():
    cloud, empty = torch.rand(50, 5) * 6, torch.zeros(0, 5)
    for clouds in ([empty, empty], [cloud, empty], [torch.ones(1, 5), empty]):
        branch = make_branch().train()
        branch(clouds).square().sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in branch.parameters())
        assert all(torch.isfinite(buffer).all() for buffer in branch.buffers())
