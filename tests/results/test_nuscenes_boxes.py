"""Boxes to records: every number against one computed by hand or by another path."""
import math
from typing import Any, List

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from pyquaternion import Quaternion

from geminifusion3d.results.evaluated_split import KeyFrame
from geminifusion3d.results.nuscenes_boxes import GlobalBoxes, boxes_to_global, to_global_boxes

NAMES = ('car', 'pedestrian')


def frame_with(global_from_lidar: np.ndarray) -> KeyFrame:
    """A sample whose ego vehicle stands where its LiDAR is."""
    return KeyFrame(token='t', global_from_lidar=global_from_lidar,
                    ego_xy_global_m=global_from_lidar[:2, 3])


def convert(rows: List[List[float]], *, scores: Any = None, labels: Any = None,
            global_from_lidar: np.ndarray = np.eye(4), **kwargs: Any) -> GlobalBoxes:
    """Converts bottom-centre boxes x, y, z, l, w, h, yaw, vx, vy."""
    count = len(rows)
    return to_global_boxes(
        boxes=LiDARInstance3DBoxes(torch.tensor(rows).reshape(count, -1) if count else
                                   torch.zeros(0, 9), box_dim=9),
        scores=torch.full((count, ), 0.5) if scores is None else torch.tensor(scores),
        labels=torch.zeros(count, dtype=torch.long) if labels is None else torch.tensor(labels),
        class_names=NAMES, frame=frame_with(global_from_lidar), **kwargs)


def test_centre_is_the_gravity_centre_and_size_is_width_length_height() -> None:
    record = convert([[1., 2., 3., 4., 2., 1.5, 0., 0., 0.]]).records()[0]
    # The model's z is the bottom: 3 + 1.5 / 2.
    assert record['translation'] == [1.0, 2.0, 3.75]
    assert record['size'] == [2.0, 4.0, 1.5]
    assert record['rotation'] == [1.0, 0.0, 0.0, 0.0]
    assert record['attribute_name'] == 'vehicle.parked'


def test_a_turned_and_moved_lidar_turns_and_moves_boxes_and_velocities() -> None:
    # LiDAR turned by 90 degrees: its x axis is the global y axis.
    pose = np.array([[0., -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 2], [0, 0, 0, 1]])
    record = convert([[1., 2., 0., 4., 2., 2., 0., 3., 0.]], global_from_lidar=pose).records()[0]
    # (1, 2) -> (-2, 1) + (10, 20); z: bottom 0 + half height 1 + mount 2.
    assert record['translation'] == pytest.approx([8.0, 21.0, 3.0])
    # Yaw 0 becomes 90 degrees: cos 45, sin 45.
    assert record['rotation'] == pytest.approx([math.sqrt(.5), 0, 0, math.sqrt(.5)])
    assert record['velocity'] == pytest.approx([0.0, 3.0])
    assert record['attribute_name'] == 'vehicle.moving'


def test_upright_boxes_come_back_exactly_through_a_tilted_lidar() -> None:
    tilt = Quaternion(axis=[0.3, -0.5, 0.1], degrees=7)
    rotation = tilt * Quaternion(axis=[0, 0, 1], degrees=50)
    pose = rotation.transformation_matrix
    pose[:3, 3] = [400.0, 1200.0, 1.8]
    rng = np.random.default_rng(0)
    center_m, yaw_rad = rng.uniform(-40, 40, (20, 3)), rng.uniform(-3, 3, 20)
    velocity_mps = rng.uniform(-9, 9, (20, 2))
    # The forward way, as a converter goes: into the LiDAR frame, then only x and y are kept.
    to_lidar = pose[:3, :3].T
    heading = np.stack([np.cos(yaw_rad), np.sin(yaw_rad), 0 * yaw_rad], axis=1) @ to_lidar.T
    moving = np.column_stack([velocity_mps, np.zeros(20)]) @ to_lidar.T
    boxes = np.column_stack([(center_m - pose[:3, 3]) @ to_lidar.T, np.ones((20, 3)),
                             np.arctan2(heading[:, 1], heading[:, 0]), moving[:, :2]])
    got_center_m, got_yaw_rad, got_velocity_mps = boxes_to_global(boxes, pose)
    np.testing.assert_allclose(got_center_m, center_m, atol=1e-9)
    np.testing.assert_allclose(got_yaw_rad, yaw_rad, atol=1e-12)
    np.testing.assert_allclose(got_velocity_mps, velocity_mps, atol=1e-12)


def test_quaternions_are_unit_and_point_along_the_yaw() -> None:
    rows = [[1., 1., 0., 4., 2., 2., yaw, 0., 0.] for yaw in np.linspace(-7, 7, 15).tolist()]
    for row, record in zip(rows, convert(rows).records()):
        quaternion = Quaternion(record['rotation'])
        assert quaternion.norm == pytest.approx(1, abs=1e-12)
        assert quaternion.rotation_matrix[:2, 0] == pytest.approx(
            [math.cos(row[6]), math.sin(row[6])], abs=1e-5)


def test_the_best_500_are_kept_and_equal_scores_keep_their_order() -> None:
    rows = [[0.01 * index, 0., 0., 4., 2., 2., 0., 0., 0.] for index in range(510)]
    scores = [0.5] * 505 + [0.9] * 5
    records = convert(rows, scores=scores).records()
    assert len(records) == 500
    kept_x = [round(record['translation'][0] * 100) for record in records]
    assert kept_x == [505, 506, 507, 508, 509] + list(range(495))


def test_boxes_at_or_beyond_their_class_range_are_left_out() -> None:
    rows = [[x, 0., 0., 1., 1., 1., 0., 0., 0.] for x in (39.9, 40.0, 40.0, 49.9, 50.0)]
    labels = [1, 1, 0, 0, 0]  # the range of a pedestrian is 40 m, of a car 50 m
    kept_x = [record['translation'][0] for record in convert(rows, labels=labels).records()]
    assert kept_x == pytest.approx([39.9, 40.0, 49.9])
    assert len(convert(rows, labels=labels, within_class_range=False).records()) == 5


def test_the_class_range_is_measured_from_the_ego_vehicle() -> None:
    pose = np.eye(4)
    pose[0, 3] = 1000.0
    rows = [[30., 0., 0., 1., 1., 1., 0., 0., 0.]]
    assert len(convert(rows, global_from_lidar=pose).records()) == 1


@pytest.mark.parametrize('column, value', [
    (0, math.nan), (2, math.inf), (4, math.nan), (6, -math.inf), (8, math.nan), (3, 0.0),
    (5, -1.0)])
def test_degenerate_boxes_are_dropped_and_counted(column: int, value: float) -> None:
    bad = [1., 1., 0., 4., 2., 2., 0., 0., 0.]
    bad[column] = value
    converted = convert([[2., 1., 0., 4., 2., 2., 0., 0., 0.], bad])
    assert converted.n_degenerate == 1
    assert [record['translation'][0] for record in converted.records()] == [2.0]


def test_a_score_that_is_no_number_drops_its_box() -> None:
    row = [2., 1., 0., 4., 2., 2., 0., 0., 0.]
    assert convert([row, row], scores=[math.nan, .5]).n_degenerate == 1


def test_logits_are_refused() -> None:
    with pytest.raises(ValueError, match=r'scores from -2 to -2, expected confidences in'):
        convert([[2., 1., 0., 4., 2., 2., 0., 0., 0.]], scores=[-2.0])


def test_boxes_without_velocity_are_refused() -> None:
    with pytest.raises(ValueError, match='7 columns, expected 9'):
        to_global_boxes(boxes=LiDARInstance3DBoxes(torch.ones(1, 7)), scores=torch.ones(1),
                        labels=torch.zeros(1, dtype=torch.long), class_names=NAMES,
                        frame=frame_with(np.eye(4)))


def test_no_boxes_give_no_records() -> None:
    assert convert([]).records() == [] and convert([]).n_degenerate == 0
