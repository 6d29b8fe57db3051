"""BEVFusion's positions, each difference by hand."""
import torch

from geminifusion3d.camera_bev.bevfusion_frustum import BEVFusionFrustum
from geminifusion3d.geometry.bev_grid import BEVGrid

CPU = torch.device('cpu')
FRUSTUM = BEVFusionFrustum((1.0, 5.0), 4)


def test_bins_are_lifted_to_their_near_ends():
    assert FRUSTUM.depth_m(CPU).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_feature_cells_look_from_border_to_border():
    assert FRUSTUM.pixels((8, 11), (2, 3), CPU).tolist() == [
        [0, 0], [5, 0], [10, 0], [0, 7], [5, 7], [10, 7]]


def test_positions_are_cut_towards_zero():
    # 3 columns, 2 rows; the height range is one cell of 4 m.
    grid = BEVGrid(range_m=(0.0, 0.0, -1.0, 3.0, 2.0, 3.0), cell_m=1.0)
    points_m = torch.tensor([
        [1.5, 1.5, 0.0],      # inside: row 1, column 1
        [-0.5, 0.5, 0.0],     # up to one cell below x: column 0
        [2.5, -0.9, 0.0],     # up to one cell below y: row 0
        [0.5, 1.5, -4.9],     # up to one height range below z
        [-1.0, 0.5, 0.0],     # a whole cell below: outside
        [0.5, 0.5, -5.0], [3.0, 0.5, 0.0], [0.5, 2.0, 0.0], [0.5, 0.5, 3.0]])
    cut = ((points_m - torch.tensor([0.0, 0.0, -1.0])) / torch.tensor([1.0, 1.0, 4.0])).long()
    is_inside = ((cut >= 0) & (cut < torch.tensor([3, 2, 1]))).all(1)
    assert FRUSTUM.cell_of(points_m, grid).tolist() == [4, 0, 2, 3, -1, -1, -1, -1, -1]
    assert torch.equal(FRUSTUM.cell_of(points_m, grid),
                       torch.where(is_inside, cut[:, 1] * 3 + cut[:, 0], -1))
