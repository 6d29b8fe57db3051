"""Depth bins, pixel positions and frustum cells by hand, ours and BEVFusion's."""
import numpy as np
import pytest
import torch

from geminifusion3d.camera_bev.lift import BEVFusionFrustum, Frustum, frustum_cells
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig

CPU = torch.device('cpu')
BEVFUSION = BEVFusionFrustum((1.0, 5.0), 4)
# The camera looks along +y from the origin; x of the camera is x of the LiDAR.
META = dict(
    cam2img=np.array([[[4.0, 0, 1.5, 0], [0, 4.0, 1.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]]]),
    lidar2cam=np.array([[[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]]),
    img_aug_matrix=np.eye(4)[None], lidar_aug_matrix=np.eye(4))
# 12 columns, 8 rows.
GRID = BEVGrid(range_m=(-4.0, 0.0, -9.0, 8.0, 8.0, 9.0), cell_m=1.0)


def test_depth_bins_are_equal_and_cover_the_range():
    assert Frustum((1.0, 5.0), 4).depth_m(CPU).tolist() == [1.5, 2.5, 3.5, 4.5]


def test_a_feature_cell_looks_from_the_middle_of_its_pixels():
    # Stride 4: cell 0 covers pixels 0..3 with centre 1.5, cell 1 pixels 4..7 with centre 5.5.
    assert Frustum((1.0, 5.0), 4).pixels((8, 12), (2, 3), CPU).tolist() == [
        [1.5, 1.5], [5.5, 1.5], [9.5, 1.5], [1.5, 5.5], [5.5, 5.5], [9.5, 5.5]]


def test_a_pixel_falls_into_the_cell_at_its_depth():
    # Two bins of 5 m from 0.0001 m on: 2.5 m and 7.5 m; the third is beyond the grid.
    cells = frustum_cells(CameraRig.from_metas([META], device=CPU), GRID, Frustum((1e-4, 15.0001), 3),
                          (4, 8), (1, 2))
    # Pixel (1.5, 1.5) looks straight ahead: x = 0, y = depth -> column 4, row = floor(depth).
    # Pixel (5.5, 1.5): x = depth * 4 / 4 = depth; depth 7.5 is column 11, row 7.
    assert cells.tolist() == [[[[2 * 12 + 4, 7 * 12 + 4, -1], [2 * 12 + 6, 7 * 12 + 11, -1]]]]


def test_a_missing_camera_has_no_cells():
    rig = CameraRig.from_metas([META, {**META, 'camera_present': [False]}], device=CPU)
    cells = frustum_cells(rig, GRID, Frustum((1.0, 5.0), 4), (4, 8), (1, 2))
    assert (cells[0] >= 0).all() and (cells[1] == -1).all()


@pytest.mark.parametrize('depth_range_m, bins', [((0.0, 5.0), 4), ((5.0, 1.0), 4), ((1.0, 5.0), 0)])
def test_bins_that_are_none_are_refused(depth_range_m, bins):
    with pytest.raises(ValueError, match='0 < near < far'):
        Frustum(depth_range_m, bins)


def test_bevfusion_bins_are_lifted_to_their_near_ends():
    assert BEVFUSION.depth_m(CPU).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_bevfusion_feature_cells_look_from_border_to_border():
    assert BEVFUSION.pixels((8, 11), (2, 3), CPU).tolist() == [
        [0, 0], [5, 0], [10, 0], [0, 7], [5, 7], [10, 7]]


def test_bevfusion_positions_are_cut_towards_zero():
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
    assert BEVFUSION.cell_of(points_m, grid).tolist() == [4, 0, 2, 3, -1, -1, -1, -1, -1]
    assert torch.equal(BEVFUSION.cell_of(points_m, grid),
                       torch.where(is_inside, cut[:, 1] * 3 + cut[:, 0], -1))


# 20 columns from x = -2, 12 rows from y = -5.
WIDE_GRID = BEVGrid(range_m=(-2.0, -5.0, -3.0, 8.0, 1.0, 3.0), cell_m=0.5)


def test_to_bevfusion_what_lies_just_below_the_grid_counts_to_its_first_column_or_row():
    points_m = torch.tensor([[-2.3, -2.9, 0.0], [3.2, -5.3, 0.0], [-2.6, -2.9, 0.0], [3.2, -5.6, 0.0]])
    # Row of y = -2.9 is 4, column of x = 3.2 is 10; more than a cell below is outside.
    assert BEVFUSION.cell_of(points_m, WIDE_GRID).tolist() == [4 * 20, 10, -1, -1]
