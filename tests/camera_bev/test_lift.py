"""Depth bins, pixel centres and frustum cells by hand."""
import numpy as np
import torch

from geminifusion3d.camera_bev.lift import depth_bin_centres_m, feature_pixels, frustum_cells
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig


def test_depth_bins_are_equal_and_cover_the_range():
    assert depth_bin_centres_m((1.0, 5.0), 4).tolist() == [1.5, 2.5, 3.5, 4.5]


def test_a_feature_cell_looks_from_the_middle_of_its_pixels():
    # Stride 4: cell 0 covers pixels 0..3 with centre 1.5, cell 1 pixels 4..7 with centre 5.5.
    assert feature_pixels((2, 3), 4).tolist() == [
        [1.5, 1.5], [5.5, 1.5], [9.5, 1.5], [1.5, 5.5], [5.5, 5.5], [9.5, 5.5]]


def test_a_pixel_falls_into_the_cell_at_its_depth():
    # The camera looks along +y from the origin; x of the camera is x of the LiDAR.
    cam_from_lidar = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    img_from_cam = np.array([[4.0, 0, 1.5, 0], [0, 4.0, 1.5, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    rig = CameraRig.from_metas([dict(
        cam2img=img_from_cam[None], lidar2cam=cam_from_lidar[None],
        img_aug_matrix=np.eye(4)[None], lidar_aug_matrix=np.eye(4))], device=torch.device('cpu'))
    grid = BEVGrid(range_m=(-4.0, 0.0, -9.0, 8.0, 8.0, 9.0), cell_m=1.0)
    cells = frustum_cells(rig, grid, (1, 2), 4, torch.tensor([2.5, 7.5, 9.5]))
    # Pixel (1.5, 1.5) looks straight ahead: x = 0, y = depth -> column 4, row = floor(depth).
    # Pixel (5.5, 1.5): x = depth * 4 / 4 = depth; depth 7.5 is column 11, row 7.
    assert cells.tolist() == [[[[2 * 12 + 4, 7 * 12 + 4, -1], [2 * 12 + 6, 7 * 12 + 11, -1]]]]
