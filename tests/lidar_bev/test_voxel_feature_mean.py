"""Features of a voxel: its mean, raw or scaled by the grid's range."""
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.voxel_feature_mean import VoxelFeatureMean
from geminifusion3d.ops.voxel_groups import group_points

# Centre (1, -2, 0), half extents (6, 4, 2).
GRID = BEVGrid(range_m=(-5.0, -6.0, -2.0, 7.0, 2.0, 2.0), cell_m=1.0)
CLOUD = torch.tensor([[4.0, 0.5, 1.0, 255.0, 0.1], [4.5, 0.5, 1.5, 0.0, 0.3]])


def encode(scale_features):
    """Returns the features of the one voxel that holds both points."""
    groups = group_points([CLOUD], GRID.range_m, (1.0, 1.0, 4.0), (12, 8, 1))
    return VoxelFeatureMean(bev_grid=GRID, scale_features=scale_features)(groups)


def test_raw_features_are_metres_and_raw_intensity():
    assert torch.allclose(encode(False), torch.tensor([[4.25, 0.5, 1.25, 127.5, 0.2]]))


def test_scaled_features_lie_within_one_over_the_range():
    # (4.25 - 1) / 6, (0.5 + 2) / 4, 1.25 / 2, 127.5 / 255; time stays.
    assert torch.allclose(encode(True), torch.tensor([[3.25 / 6, 0.625, 0.625, 0.5, 0.2]]))
