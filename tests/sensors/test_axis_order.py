"""Turns to the left are turns to the left, and drawings keep left and right, front and rear apart."""
import zlib
from pathlib import Path

import numpy as np
import pytest
from mmdet3d.structures import LiDARInstance3DBoxes, LiDARPoints

from gemini_lab.sample_picture import draw_camera, draw_sample
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors import GeminiSampleObjects
from geminifusion3d.sensors.augment_scene import GeminiAugmentScene
from geminifusion3d.sensors.draw import BOX_BGR, FRONT_BGR, draw_bev, project_points
from geminifusion3d.sensors.object_database import FORMAT, array_path, write_metainfo

CAM_FROM_LIDAR = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
IMG_FROM_CAM = np.array([[100.0, 0, 80, 0], [0, 100, 45, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def sample(box: list) -> dict:
    """Six cameras that look ahead, each with an image of its own grey."""
    return {
        'img': [np.full((90, 160, 3), 20 + number, np.uint8) for number in range(6)],
        'cam_names': CAMERA_NAMES, 'points': LiDARPoints(np.zeros((0, 5), np.float32), points_dim=5),
        'gt_bboxes_3d': LiDARInstance3DBoxes(np.array([box], np.float32), box_dim=9),
        'lidar_aug_matrix': np.eye(4), 'lidar2cam': np.tile(CAM_FROM_LIDAR, (6, 1, 1)),
        'cam2img': np.tile(IMG_FROM_CAM, (6, 1, 1)), 'img_aug_matrix': np.tile(np.eye(4), (6, 1, 1))}


def columns_of(picture: np.ndarray, bgr: tuple) -> np.ndarray:
    """Returns the columns of the pixels that are of a colour, or nearly so."""
    return np.unique((np.abs(picture.astype(int) - bgr) < 90).all(axis=-1).nonzero()[-1])


def test_the_six_images_stand_as_the_car_sees_them():
    picture = draw_sample(sample([0.0, -20, 0, 1, 1, 1, 0, 0, 0]))
    seen = [[CAMERA_NAMES[picture[90 * row + 80, 160 * column + 150, 0] - 20] for column in range(3)]
            for row in range(2)]
    assert seen == [['CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'],
                    ['CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT']]


def test_the_front_of_a_box_is_red_in_the_image():
    # 1 m across, from 4 m to 8 m ahead, heading away: its rear shows at u = 80 -+ 12.5, its front at
    # 80 -+ 6.25.
    picture = draw_camera(sample([0.0, 6, -0.5, 4, 1, 1, np.pi / 2, 0, 0]), 0)
    red, green = columns_of(picture, FRONT_BGR), columns_of(picture, BOX_BGR)
    assert 73 <= red.min() <= 75 and 85 <= red.max() <= 87
    assert green.min() <= 69 and green.max() >= 91


def test_the_front_of_a_box_is_red_from_above():
    # Heading along x, 4 m long: its front is at x = 5, column 75 of a picture of 5 pixels a metre.
    boxes = LiDARInstance3DBoxes(np.array([[3.0, 4, 0, 4, 2, 1, 0, 0, 0]], np.float32), box_dim=9)
    picture = draw_bev(np.zeros((0, 3)), boxes.corners.numpy(), size_px=100, range_m=10)
    red, green = columns_of(picture, FRONT_BGR), columns_of(picture, BOX_BGR)
    assert 73 <= red.min() and red.max() <= 77
    assert 53 <= green.min() <= 57


def moved(**options: object) -> np.ndarray:
    """Returns the points (1, 0, 0) and (0, 2, 0) after an augmentation."""
    points = LiDARPoints(np.array([[1, 0, 0, 0, 0], [0, 2, 0, 0, 0]], np.float32), points_dim=5)
    results = dict(points=points, lidar_aug_matrix=np.eye(4, dtype=np.float32))
    return GeminiAugmentScene(**options).transform(results)['points'].tensor[:, :3].numpy()


def test_a_positive_angle_turns_the_scene_to_the_left():
    # By 30 degrees: x to (cos, sin), 2 y to (-2 sin, 2 cos).
    turned = moved(rotate_range_rad=(np.pi / 6, np.pi / 6))
    np.testing.assert_allclose(turned, [[0.75 ** 0.5, 0.5, 0], [-1, 3 ** 0.5, 0]], atol=1e-6)


def test_mirrors_come_after_the_turn():
    # (1, 0) turns to (cos, sin), then x changes sign, or y does.
    turn = dict(rotate_range_rad=(np.pi / 6, np.pi / 6))
    np.testing.assert_allclose(moved(**turn, flip_x_prob=1.0)[0], [-0.75 ** 0.5, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(moved(**turn, flip_y_prob=1.0)[0], [0.75 ** 0.5, -0.5, 0], atol=1e-6)


@pytest.mark.parametrize('axis', [0, 1, 2])
def test_the_shift_along_each_axis_has_its_own_spread(axis):
    std_m = [0.0, 0.0, 0.0]
    std_m[axis] = 5.0
    shift_m = moved(translate_std_m=tuple(std_m))[0] - [1, 0, 0]
    assert (shift_m != 0).tolist() == [index == axis for index in range(3)]


def test_augmented_pixels_are_turned_and_shifted_as_the_matrix_says():
    # (80 + 100 * 2 / 10, 45 - 100 * 1 / 10) = (100, 35); a quarter turn to (-35, 100), then 30 and 5 on.
    augmented = np.array([[0.0, -1, 0, 30], [1, 0, 0, 5], [0, 0, 1, 0], [0, 0, 0, 1]])
    px, _ = project_points(np.array([[2.0, 10, 1]]), cam2img=IMG_FROM_CAM, lidar2cam=CAM_FROM_LIDAR,
                           lidar_aug_matrix=np.eye(4), img_aug_matrix=augmented)
    np.testing.assert_allclose(px, [[-5, 105]])


@pytest.mark.parametrize('y_m, is_free', [(2.5, False), (-2.5, True)])
def test_an_object_that_stands_askew_is_not_pasted_where_it_stands_in_the_way(tmp_path: Path, y_m, is_free):
    # 8 m long and 1 m wide along the diagonal x = y, over (2.5, 2.5) and far from (2.5, -2.5).
    box = np.array([[0, 0, -1, 8, 1, 1, np.pi / 4, 0, 0]], np.float32)
    np.save(array_path(tmp_path, 'car', 'boxes'), box)
    np.save(array_path(tmp_path, 'car', 'ends'), np.array([1]))
    np.save(array_path(tmp_path, 'car', 'points'), np.zeros((1, 5), np.float32))
    np.save(array_path(tmp_path, 'car', 'sums'), np.array([zlib.crc32(bytes(20))], np.uint32))
    write_metainfo(tmp_path, dict(format=FORMAT, dataset='nuscenes', version='v', split='s', sweeps_num=0,
                                  remove_close_m=1.0, num_objects={'car': 1}))
    other = np.array([[2.5, y_m, -1, 1, 1, 1, 0, 0, 0]], np.float32)
    step = GeminiSampleObjects(database=str(tmp_path), sweeps_num=0, numbers=dict(car=1), min_points=1)
    pasted = step.transform(dict(
        points=LiDARPoints(np.ones((1, 5), np.float32), points_dim=5), epoch=0, gt_labels_3d=np.array([8]),
        gt_bboxes_3d=LiDARInstance3DBoxes(other, box_dim=9), lidar_aug_matrix=np.eye(4)))
    assert len(pasted['gt_bboxes_3d']) == 1 + is_free
