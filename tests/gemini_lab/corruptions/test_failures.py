"""Failing sensors against numbers by hand, and what grows with severity."""
import copy

import numpy as np
import pytest
import torch

from gemini_lab.corruptions.clouds import OWN_CAR, drop_radar, drop_sweep, limit_view
from gemini_lab.corruptions.images import MUD_BGR, drop_view, soil_lens
from gemini_lab.corruptions.records import disturb_cameras, fail_objects, pose_error, stick_cameras
from geminifusion3d.sensors.load_points import lidar_points


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sweep() -> np.ndarray:
    return np.random.default_rng(5).uniform(2, 60, (100, 5)).astype(np.float32)


def picture() -> np.ndarray:
    return np.random.default_rng(6).integers(1, 256, (45, 80, 3), dtype=np.uint8)


def at_azimuths(*angles_deg: float) -> np.ndarray:
    """Returns points 10 m away, clockwise from straight ahead, which is +y of nuScenes' LiDAR."""
    angles = np.deg2rad(angles_deg)
    return np.column_stack([10 * np.sin(angles), 10 * np.cos(angles), np.zeros((len(angles), 3))])


def seen(boxes, points, *, velocities=None, severity=2, seed=0):
    """Returns which points of [x, y, z, seconds before] are left of these boxes [x, y, z, l, w, h, yaw]."""
    rows = np.array([[x, y, z, 0, lag_s] for x, y, z, lag_s in points], np.float32)
    velocities = velocities or [(np.nan, np.nan)] * len(boxes)
    results = dict(points=lidar_points(torch.from_numpy(rows)), instances=[
        dict(bbox_3d=box, velocity=velocity) for box, velocity in zip(boxes, velocities)])
    left = fail_objects(results, severity, drawn(seed))['points'].tensor.numpy()
    assert results['points'].tensor.shape == rows.shape
    return [row.tolist() in left.tolist() for row in rows]


def seed_of(fails: bool) -> int:
    """Returns a seed with which the first of two objects fails at severity 2, or not, never the second."""
    return next(seed for seed in range(100) if (drawn(seed).random(2) < 0.5).tolist() == [fails, False])


def test_the_view_ends_at_120_90_and_60_degrees_to_both_sides():
    cloud = at_azimuths(0, 59, -59, 61, -89, 91, -119, 121, 180)
    left = [limit_view(cloud, severity, drawn()) for severity in (1, 2, 3)]
    assert [len(one) for one in left] == [7, 5, 3]
    np.testing.assert_array_equal(left[2], cloud[:3])
    # Straight ahead is y, not x.
    assert len(limit_view(np.array([[0.0, 10, 0, 1, 1], [0.0, -10, 0, 1, 1]]), 3, drawn())) == 1


def test_an_object_fails_alone_with_all_of_its_points_and_the_ground_below_stays():
    # 4 m long along y after a quarter turn, 2 m wide, from z -1 to 1; the other stands 10 m further along x.
    boxes = [[5, 0, 0, 4, 2, 2, np.pi / 2], [15, 0, 0, 4, 2, 2, 0]]
    points = [(5, 1.9, 0, 0), (5, 2.05, 0, 0), (5, 2.2, 0, 0), (6.5, 0, 0, 0), (5, 0, 1.05, 0),
              (5, 0, -1.05, 0), (15, 0, 0, 0)]
    assert seen(boxes, points, seed=seed_of(True)) == [False, False, True, True, False, True, True]
    assert all(seen(boxes, points, seed=seed_of(False)))


def test_a_moving_object_is_gone_where_it_was_before():
    # 10 m/s along x: half a second ago it was 5 m behind.
    boxes = [[20, 0, 0, 4, 2, 2, 0]] * 2
    points = [(20, 0, 0, 0), (15, 0, 0, 0.5), (20, 0, 0, 0.5), (15, 0, 0, 0)]
    seed = seed_of(True)
    assert seen(boxes, points, velocities=[(10, 0)] * 2, seed=seed) == [False, False, True, True]
    assert seen(boxes, points, seed=seed) == [False, True, False, True]


def test_a_quarter_half_and_three_quarters_of_the_objects_fail():
    boxes = [[20 * index, 0, 0, 4, 2, 2, 0] for index in range(400)]
    points = [(20 * index, 0, 0, 0) for index in range(400)]
    left = np.array([seen(boxes, points, severity=severity) for severity in (1, 2, 3)])
    np.testing.assert_allclose(left.mean(axis=1), [0.75, 0.5, 0.25], atol=0.07)
    assert (left[0] >= left[1]).all() and (left[1] >= left[2]).all()
    assert seen([], [(1, 2, 3, 0)]) == [True]


def test_objects_cannot_fail_without_annotations():
    with pytest.raises(ValueError, match='annotations, which this record lacks'):
        fail_objects(dict(points=None), 1, drawn())


def test_mud_covers_a_tenth_a_quarter_and_half_and_the_rest_stays():
    image = np.full((90, 160, 3), 200, np.uint8)
    soiled = [soil_lens(image, severity, drawn(2)) for severity in (1, 2, 3)]
    # Half through: 0.5 * 200 + 0.5 * (30, 45, 60).
    covered = [one[..., 0] <= 115 for one in soiled]
    np.testing.assert_allclose([one.mean() for one in covered], [0.1, 0.25, 0.5], atol=0.005)
    assert (covered[0] <= covered[1]).all() and (covered[1] <= covered[2]).all()
    darkest = soiled[2].reshape(-1, 3).min(axis=0)
    np.testing.assert_array_equal(darkest, np.rint(MUD_BGR * 255))
    assert (soiled[0] == image).all(axis=2).mean() > 0.75
    before = picture()
    soil_lens(before, 3, drawn())
    np.testing.assert_array_equal(before, picture())


@pytest.mark.parametrize('severity, turn_deg, shift_m', [(1, 1, 0.01), (2, 3, 0.05), (3, 5, 0.1)])
def test_calibration_is_off_by_the_same_amount_in_directions_of_each_camera(severity, turn_deg, shift_m):
    lidar2cam = np.eye(4)
    lidar2cam[:3, 3] = [1, 2, 3]
    results = dict(images={name: dict(img_path=name, lidar2cam=lidar2cam) for name in 'ab'})
    before = copy.deepcopy(results)
    noisy = disturb_cameras(results, severity, drawn())['images']
    errors = [noisy[name]['lidar2cam'] @ np.linalg.inv(lidar2cam) for name in 'ab']
    for error in errors:
        # The trace of a turn is 1 + 2 cos(angle).
        assert (np.trace(error[:3, :3]) - 1) / 2 == pytest.approx(np.cos(np.deg2rad(turn_deg)), abs=1e-12)
        assert np.linalg.norm(error[:3, 3]) == pytest.approx(shift_m, abs=1e-12)
        np.testing.assert_allclose(error[:3, :3] @ error[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.abs(errors[0] - errors[1]).max() > 1e-3
    assert [noisy[name]['img_path'] for name in 'ab'] == ['a', 'b']
    np.testing.assert_array_equal(results['images']['a']['lidar2cam'], before['images']['a']['lidar2cam'])


def test_errors_of_calibration_have_no_preferred_direction():
    shifts = np.array([pose_error(0.1, 1.0, drawn(seed))[:3, 3] for seed in range(1000)])
    np.testing.assert_allclose(shifts.mean(axis=0), 0, atol=0.07)
    np.testing.assert_allclose((shifts ** 2).mean(axis=0), 1 / 3, atol=0.03)


def test_a_camera_without_calibration_is_left_alone():
    absent = dict(images=dict(a=dict(img_path=None)))
    assert disturb_cameras(absent, 3, drawn()) == absent


def test_half_of_the_cameras_are_stuck_the_same_ones_at_every_severity():
    now, before = ({name: dict(img_path=when, lidar2cam='now') for name in 'abc'}
                   for when in ('now', 'before'))
    sample = dict(images=now, previous=dict(images=before))
    results = [[stick_cameras(sample, severity, drawn(seed))['images'] for severity in (1, 2, 3)]
               for seed in range(500)]
    stuck = np.array([[[one[name]['img_path'] == 'before' for name in 'abc'] for one in row]
                      for row in results])
    assert all(one['a']['lidar2cam'] == 'now' for row in results for one in row)
    np.testing.assert_allclose(stuck.mean(axis=(0, 1)), 0.5, atol=0.07)
    assert (stuck[:, 0] == stuck[:, 1]).all() and (stuck[:, 1] == stuck[:, 2]).all()
    with pytest.raises(ValueError, match='got severity 4'):
        stick_cameras(sample, 4, drawn())


@pytest.mark.parametrize('drop, whole', [(drop_view, picture()), (drop_sweep, sweep()),
                                         (drop_radar, np.ones((5, 18)))])
def test_sensors_are_silent_half_the_time_three_quarters_and_always(drop, whole):
    lost = np.array([[len(one := drop(whole, severity, drawn(seed))) != len(whole) or not one.any()
                      for severity in (1, 2, 3)] for seed in range(1000)])
    np.testing.assert_allclose(lost.mean(axis=0), [0.5, 0.75, 1.0], atol=0.05)
    assert (lost[:, 0] <= lost[:, 1]).all()


def test_a_silent_lidar_reports_its_own_car_which_is_not_too_close():
    left = drop_sweep(sweep(), 3, drawn())
    np.testing.assert_array_equal(left, OWN_CAR)
    assert left.dtype == np.float32 and np.abs(left[0, :2]).max() > 1.0
    assert drop_sweep(sweep()[:0], 3, drawn()).shape == (0, 5)
