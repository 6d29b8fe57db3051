"""Two ways to voxels with one interface; hard limits differ between training and evaluation."""
import pytest
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.lidar_branch import DynamicVoxelization, HardVoxelization

GRID = BEVGrid(range_m=(-6.0, -4.0, -2.0, 6.0, 4.0, 2.0), cell_m=1.0)
PLACE = dict(bev_grid=GRID, voxel_m=(0.5, 0.5, 1.0), n_voxels_xyz=(24, 16, 4))
CLOUD = torch.rand(500, 5, generator=torch.Generator().manual_seed(0)) * 8 - 4


def test_without_reached_limits_both_ways_give_the_same():
    dynamic = DynamicVoxelization(**PLACE)([CLOUD, CLOUD[:9]])
    hard = HardVoxelization(max_points=500, max_voxels=(500, 500), **PLACE)([CLOUD, CLOUD[:9]])
    assert all(torch.equal(a, b) for a, b in zip(dynamic, hard))


def test_training_and_evaluation_have_their_own_number_of_voxels():
    layer = HardVoxelization(max_points=2, max_voxels=(30, 40), **PLACE)
    assert len(layer.train()([CLOUD]).coordinates_bzyx) == 30
    # The limit holds for each cloud, not for the batch.
    assert len(layer.eval()([CLOUD, CLOUD]).coordinates_bzyx) == 80


@pytest.mark.parametrize('wrong', [dict(max_points=0, max_voxels=(9, 9)),
                                   dict(max_points=1, max_voxels=(9,)),
                                   dict(max_points=1, max_voxels=(9, 0))])
def test_senseless_limits_are_refused_with_what_was_got(wrong):
    with pytest.raises(ValueError, match=rf'got max_points={wrong["max_points"]}, max_voxels='):
        HardVoxelization(**wrong, **PLACE)
