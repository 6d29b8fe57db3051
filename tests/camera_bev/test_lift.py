"""Depth bins, pixel centres and frustum cells by hand."""
import numpy as np
import pytest
import torch

from geminifusion3d.camera_bev.lift import Frustum, frustum_cells
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig

CPU = torch.device('cpu')
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
