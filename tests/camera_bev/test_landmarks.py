"""A landmark at a metre position reaches the same cell through camera and LiDAR, on a grid not square."""
import numpy as np
import pytest
import torch
from tiny_detector import SMALL_GRID, make_meta

from geminifusion3d.camera_bev.depth_image import NO_BIN, depth_images, nearest_bins
from geminifusion3d.camera_bev.lift import Frustum, frustum_cells
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig
from geminifusion3d.lidar_bev.lidar_branch import DynamicVoxelization

# 24 columns, 16 rows.
GRID = BEVGrid.from_config(SMALL_GRID)
VOXELS_PER_CELL = 4
IMAGE_HW = (64, 128)
# A bin reaches 0.1 m from its middle; at 15 m half a pixel is 0.18 m in the smallest image.
FRUSTUM = Frustum((0.5, 20.5), 100)
MARGIN_M = 0.36


def random_meta(rng):
    """Returns the rig under random augmentation of the images and of the scene."""
    meta = make_meta()
    meta['cam2img'][:, :2] *= 2
    for camera in range(6):
        angle, scale = rng.uniform(-0.1, 0.1), rng.uniform(0.7, 1.1)
        meta['img_aug_matrix'][camera, :2, :2] = scale * np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        meta['img_aug_matrix'][camera, :2, 3] = rng.uniform(-4, 4, 2)
    angle = rng.uniform(-np.pi, np.pi)
    scene = np.eye(4)
    scene[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    scene[:3, :3] *= rng.uniform(0.9, 1.1)
    scene[0] *= rng.choice([-1, 1])
    scene[:3, 3] = rng.uniform(-0.5, 0.5, 3)
    return {**meta, 'lidar_aug_matrix': scene}


def random_landmark(rng):
    """Returns a point near the middle of a random cell, in the augmented LiDAR frame."""
    column, row = rng.integers(24), rng.integers(16)
    offset = rng.uniform(MARGIN_M, 1 - MARGIN_M, 2)
    return torch.tensor([[column - 12 + offset[0], row - 8 + offset[1], rng.uniform(-0.3, 0.3)]]).float()


def lidar_cell(landmark):
    """Returns the flat cell of the landmark's voxel."""
    voxel_m = (GRID.cell_m / VOXELS_PER_CELL,) * 3
    voxelization = DynamicVoxelization(
        bev_grid=GRID, voxel_m=voxel_m, n_voxels_xyz=GRID.cells_per_voxel_axis(voxel_m, VOXELS_PER_CELL))
    (_, _, row, column), = voxelization([landmark]).coordinates_bzyx.tolist()
    return row // VOXELS_PER_CELL * 24 + column // VOXELS_PER_CELL


def camera_cells(landmark, rig, cells):
    """Returns the flat cells of the (pixel, bin) at which the cameras that see the landmark see it."""
    image = depth_images(rig, [landmark], IMAGE_HW, corner_pixels=FRUSTUM.corner_pixels)[0]
    bins = nearest_bins(image, FRUSTUM, IMAGE_HW).flatten(1)
    camera, pixel = (bins != NO_BIN).nonzero(as_tuple=True)
    return cells[0, camera, pixel, bins[camera, pixel]].tolist()


@pytest.mark.parametrize('seed', range(4))
def test_a_landmark_reaches_the_same_cell_through_both_branches(seed):
    rng = np.random.default_rng(seed)
    rig = CameraRig.from_metas([random_meta(rng)], device=torch.device('cpu'))
    # One feature cell per pixel.
    cells = frustum_cells(rig, GRID, FRUSTUM, IMAGE_HW, IMAGE_HW)
    sightings = 0
    for _ in range(30):
        landmark = random_landmark(rng)
        seen = camera_cells(landmark, rig, cells)
        assert seen == [lidar_cell(landmark)] * len(seen), landmark
        sightings += len(seen)
    assert sightings >= 30
