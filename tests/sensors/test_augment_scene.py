"""Points, boxes, velocities and the matrix move together; cameras still see the same pixels."""
import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes, LiDARPoints

from geminifusion3d.sensors import GeminiAugmentScene
from geminifusion3d.sensors.augment_scene import move_boxes
from geminifusion3d.sensors.draw import project_points

EVERYTHING = dict(rotate_range_rad=(-3.0, 3.0), scale_range=(0.8, 1.2),
                  translate_std_m=(1.0, 2.0, 0.5), flip_x_prob=0.5, flip_y_prob=0.5)
CAM_FROM_LIDAR = np.array([[1.0, 0, 0, 0.1], [0, 0, -1, -0.3], [0, 1, 0, -0.4], [0, 0, 0, 1]])
IMG_FROM_CAM = np.array([[1266.0, 0, 816, 0], [0, 1266, 491, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
IMG_AUG = np.array([[-0.5, 0.02, 0, 700], [0.02, 0.5, 0, -60], [0, 0, 1, 0], [0, 0, 0, 1]])


def scene(seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    points = rng.uniform([-20, 2, -2, 0, 0], [20, 60, 3, 255, 0.5], (200, 5)).astype(np.float32)
    boxes = rng.uniform([-20, 2, -2, 1, 1, 1, -3, -5, -5], [20, 60, 1, 5, 3, 3, 3, 5, 5], (20, 9))
    return {'points': LiDARPoints(points, points_dim=5),
            'gt_bboxes_3d': LiDARInstance3DBoxes(boxes.astype(np.float32), box_dim=9),
            'lidar_aug_matrix': np.eye(4, dtype=np.float32)}


@pytest.mark.parametrize('seed', range(8))
def test_an_augmented_point_projects_to_the_augmented_pixel_of_the_raw_point(seed):
    np.random.seed(seed)
    raw = scene(seed)
    augmented = GeminiAugmentScene(**EVERYTHING).transform(raw)
    cameras = dict(lidar2cam=CAM_FROM_LIDAR, cam2img=IMG_FROM_CAM)
    raw_px, raw_depth_m = project_points(raw['points'].tensor[:, :3].numpy(), **cameras,
                                         lidar_aug_matrix=np.eye(4), img_aug_matrix=np.eye(4))
    expected = np.column_stack([raw_px, np.zeros(len(raw_px)), np.ones(len(raw_px))]) @ IMG_AUG.T
    px, depth_m = project_points(augmented['points'].tensor[:, :3].numpy(), **cameras,
                                 lidar_aug_matrix=augmented['lidar_aug_matrix'],
                                 img_aug_matrix=IMG_AUG)
    np.testing.assert_allclose(px, expected[:, :2], atol=0.05)
    np.testing.assert_allclose(depth_m, raw_depth_m, atol=1e-3)


@pytest.mark.parametrize('seed', range(8))
def test_corners_and_velocities_of_boxes_move_as_the_matrix_says(seed):
    np.random.seed(seed)
    raw = scene(seed)
    augmented = GeminiAugmentScene(**EVERYTHING).transform(raw)
    matrix = augmented['lidar_aug_matrix'].astype(np.float64)
    expected = raw['gt_bboxes_3d'].corners.numpy() @ matrix[:3, :3].T + matrix[:3, 3]
    moved = augmented['gt_bboxes_3d'].corners.numpy()
    distance_m = np.linalg.norm(moved[:, :, None] - expected[:, None], axis=3)
    # A mirror swaps left and right corners: compare them as sets.
    assert distance_m.min(axis=2).max() < 1e-4
    velocity = raw['gt_bboxes_3d'].tensor[:, 7:9].numpy() @ matrix[:2, :2].T
    np.testing.assert_allclose(augmented['gt_bboxes_3d'].tensor[:, 7:9], velocity, atol=1e-5)
    # The heading, not only the outline: the front's middle stays in front.
    front = expected[:, 4:].mean(axis=1) - expected.mean(axis=1)
    yaw = augmented['gt_bboxes_3d'].tensor[:, 6].numpy()
    np.testing.assert_allclose(np.arctan2(front[:, 1], front[:, 0]), yaw, atol=1e-4)


def test_a_quarter_turn_a_mirror_and_a_shift_by_hand():
    boxes = LiDARInstance3DBoxes(torch.tensor([[10.0, 2, -1, 4, 2, 1.5, 0.1, 3, 0]]), box_dim=9)
    # Turn by 90 degrees, double, shift by (1, 2, 3), then x -> -x.
    matrix = np.array([[0.0, 2, 0, -1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]])
    moved = move_boxes(matrix, boxes).tensor[0].numpy()
    # x = 2 * 2 - 1, y = 2 * 10 + 2, z = 2 * -1 + 3; heading (cos .1, sin .1) -> (sin .1, cos .1).
    np.testing.assert_allclose(moved, [3, 22, 1, 8, 4, 3, np.pi / 2 - 0.1, 0, 6], rtol=1e-5,
                               atol=1e-6)


def test_unknown_velocities_stay_unknown():
    boxes = scene()['gt_bboxes_3d']
    boxes.tensor[3, 7:9] = float('nan')
    np.random.seed(1)
    moved = GeminiAugmentScene(**EVERYTHING).transform(
        {'gt_bboxes_3d': boxes, 'lidar_aug_matrix': np.eye(4)})['gt_bboxes_3d'].tensor
    assert torch.isnan(moved).nonzero().tolist() == [[3, 7], [3, 8]]


def test_intensity_and_time_lag_stay_and_the_input_is_left_alone():
    raw, untouched = scene(), scene()
    augmented = GeminiAugmentScene(**EVERYTHING).transform(raw)
    assert (augmented['points'].tensor[:, 3:] == raw['points'].tensor[:, 3:]).all()
    assert (raw['points'].tensor == untouched['points'].tensor).all()
    assert (raw['gt_bboxes_3d'].tensor == untouched['gt_bboxes_3d'].tensor).all()
    assert (raw['lidar_aug_matrix'] == np.eye(4)).all()


def test_two_augmentations_compose():
    np.random.seed(5)
    augment = GeminiAugmentScene(**EVERYTHING)
    raw = scene()
    twice = augment.transform(augment.transform(raw))
    matrix = twice['lidar_aug_matrix']
    expected = raw['points'].tensor[:, :3].numpy() @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(twice['points'].tensor[:, :3], expected, atol=1e-4)


def test_a_camera_only_pipeline_has_no_points_to_move():
    augmented = GeminiAugmentScene(flip_x_prob=1.0).transform({'lidar_aug_matrix': np.eye(4)})
    assert set(augmented) == {'lidar_aug_matrix'}
    np.testing.assert_array_equal(augmented['lidar_aug_matrix'], np.diag([-1, 1, 1, 1]))


def test_the_default_changes_nothing():
    raw = scene()
    augmented = GeminiAugmentScene().transform(raw)
    assert (augmented['points'].tensor == raw['points'].tensor).all()
    np.testing.assert_allclose(augmented['gt_bboxes_3d'].tensor, raw['gt_bboxes_3d'].tensor,
                               atol=1e-6)


def test_a_scale_of_zero_is_refused():
    with pytest.raises(ValueError, match='factors above 0'):
        GeminiAugmentScene(scale_range=(0.0, 1.0))
