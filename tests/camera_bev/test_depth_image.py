"""Depth images: which point wins a pixel, which are not drawn."""
import numpy as np
import pytest
import torch
from host_waits import HostWaits

from geminifusion3d.camera_bev.depth_image import depth_images
from geminifusion3d.geometry.camera_rig import CameraRig

IMAGE_HW = (3, 4)
# Two cameras at the origin, 10 pixels focal length: one looks along +y, one along -y.
IMG_FROM_CAM = np.array([[10.0, 0, 1, 0], [0, 10.0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
CAM_FROM_LIDAR = np.array([[[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]],
                           [[-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]])


def rig_of(*metas):
    """Returns the rig of samples that differ from the two cameras by the given keys."""
    both = dict(cam2img=np.stack([IMG_FROM_CAM] * 2), lidar2cam=CAM_FROM_LIDAR,
                img_aug_matrix=np.stack([np.eye(4)] * 2), lidar_aug_matrix=np.eye(4))
    return CameraRig.from_metas([{**both, **meta} for meta in metas], device=torch.device('cpu'))


def draw(rig, *clouds, corner_pixels=False, returns='nearest'):
    """Draws clouds given as lists of x, y, z."""
    clouds = [torch.tensor(cloud, dtype=torch.float32).reshape(-1, 3) for cloud in clouds]
    return depth_images(rig, clouds, IMAGE_HW, corner_pixels=corner_pixels, returns=returns)


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_nearest_return_wins_whatever_the_order(order):
    # All three look through pixel (1, 1): 20 m, 5 m and 7 m ahead.
    points = np.array([[0, 20, 0], [0, 5, 0], [0.1, 7, 0]])[order].tolist()
    images = draw(rig_of({}), points)
    assert images.shape == (1, 2, *IMAGE_HW) and images.sum() == 5
    assert images[0, 0, 1, 1] == 5


def test_the_last_return_wins_where_it_is_asked_for_as_in_the_loop_of_bevfusion():
    torch.manual_seed(0)
    # Ten points per pixel of each camera; one cloud is empty.
    cloud = torch.rand(240, 3) * torch.tensor([6.0, 20.0, 4.0]) - torch.tensor([3.0, 10.0, 2.0])
    rig = rig_of({}, {}, {'lidar_aug_matrix': np.diag([-1.0, 1.0, 1.0, 1.0])})
    images = draw(rig, cloud.tolist(), [], cloud.tolist(), corner_pixels=True, returns='last')
    expected = torch.zeros(3, 2, *IMAGE_HW)
    for sample in (0, 2):
        for camera, projected in enumerate(rig.project(sample, cloud)):
            for u, v, depth_m in projected[projected[:, 2] > 0].tolist():
                if 0 <= u < IMAGE_HW[1] and 0 <= v < IMAGE_HW[0]:
                    expected[sample, camera, int(v), int(u)] = depth_m
    assert torch.equal(images, expected) and (expected[0] > 0).float().mean() > 0.5
    nearest = draw(rig, cloud.tolist(), [], cloud.tolist(), corner_pixels=True)
    assert torch.equal(nearest > 0, images > 0) and (nearest <= images).all() and (nearest < images).any()


def test_a_point_behind_a_camera_is_seen_by_the_other_one_only():
    images = draw(rig_of({}), [[0.5, -5, 0]])
    # Camera 1 has x to the left of the LiDAR's: u = 1 - 10 * 0.5 / 5 = 0.
    assert images[0, 1, 1, 0] == 5 and images.sum() == 5


def test_points_on_the_camera_plane_and_points_that_are_no_numbers_are_not_drawn():
    nan = float('nan')
    assert not draw(rig_of({}), [[0, 0, 0], [1, 0, 0], [nan, 5, 0], [0, nan, 0], [0, 1e-30, 1.0]]).any()


def test_integer_coordinates_are_pixel_centres():
    # u = 1 + 10 * x / 10: 0.49 px left of the border between pixels 1 and 2, and 0.01 px right of it.
    images = draw(rig_of({}), [[0.49, 10, 0], [0.51, 10, 0.0]])
    assert images[0, 0, 1].tolist() == [0, 10, 10, 0]
    # Corners instead: both in pixel 1; u = -0.2 is outside, though it is inside by its centre.
    images = draw(rig_of({}), [[0.49, 10, 0], [0.51, 10, 0]], corner_pixels=True)
    assert images[0, 0, 1].tolist() == [0, 10, 0, 0]
    assert draw(rig_of({}), [[-1.2, 10, 0]])[0, 0, 1, 0] == 10
    assert not draw(rig_of({}), [[-1.2, 10, 0]], corner_pixels=True).any()


def test_rows_and_columns_are_not_swapped_and_the_border_cuts():
    # u = 3, v = 0: the upper right corner; u = 4 and v = 3 are outside.
    images = draw(rig_of({}), [[2.0, 10, 1.0], [3.0, 10, 1.0], [2.0, 10, -2.0]])
    assert images[0, 0, 0, 3] == 10 and images.sum() == 10


def test_empty_clouds_and_missing_cameras_are_black():
    rig = rig_of({}, {'camera_present': [False, True]}, {})
    ahead_and_behind = [[0, 5, 0], [0, -6, 0]]
    images = draw(rig, [], ahead_and_behind, ahead_and_behind)
    assert images.flatten(2).amax(-1).tolist() == [[0, 0], [0, 6], [5, 6]]


def test_depth_is_drawn_in_float32_under_autocast():
    points = [[0.3 * i, 9.7 + 0.11 * i, 0.05 * i] for i in range(4)]
    expected = draw(rig_of({}), points)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(draw(rig_of({}), points), expected)


def test_a_batch_needs_one_cloud_per_sample():
    with pytest.raises(ValueError, match='got 1 clouds and 2 samples'):
        draw(rig_of({}, {}), [])


@pytest.mark.parametrize('returns', ['nearest', 'last'])
def test_drawing_waits_for_no_gpu(returns):
    cloud = torch.tensor([[0.0, 20, 0], [0, 5, 0], [0.5, -5, 0]])
    rig, clouds = rig_of({}, {}), [cloud, torch.zeros(0, 3)]
    with HostWaits() as waits:
        images = depth_images(rig, clouds, IMAGE_HW, corner_pixels=False, returns=returns)
    assert images.any() and not waits.places
