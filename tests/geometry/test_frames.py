"""Poses: hand-made quarter turns, round trips, many at once like one by one."""
import numpy as np
import pytest
from pyquaternion import Quaternion

from geminifusion3d.geometry.frames import invert_pose, pose, rotation_matrix, transform_points

HALF = 0.5 ** 0.5
# A quarter turn to the left about z, then one metre along x.
DST_FROM_SRC = pose([HALF, 0.0, 0.0, HALF], [1.0, 0.0, 0.0])


def test_a_quarter_turn_takes_forward_to_left():
    moved = transform_points(DST_FROM_SRC, np.array([[1.0, 0.0, 5.0]]))
    assert moved == pytest.approx(np.array([[1.0, 1.0, 5.0]]))


def test_the_inverse_brings_points_back():
    points = np.array([[3.0, -2.0, 1.0], [0.0, 0.0, 0.0]])
    there = transform_points(DST_FROM_SRC, points)
    assert transform_points(invert_pose(DST_FROM_SRC), there) == pytest.approx(points)
    assert invert_pose(DST_FROM_SRC) @ DST_FROM_SRC == pytest.approx(np.eye(4))


def random_rotations(count: int) -> np.ndarray:
    quats = np.random.default_rng(0).normal(size=(count, 4))
    return quats / np.linalg.norm(quats, axis=1, keepdims=True)


def test_rotations_are_pyquaternions():
    quats = random_rotations(50)
    for matrix, quat in zip(rotation_matrix(quats), quats):
        np.testing.assert_allclose(matrix, Quaternion(quat).rotation_matrix, atol=1e-15)


def test_a_quaternion_that_is_not_quite_a_unit_turns_without_scaling():
    matrix = rotation_matrix([2 * HALF, 0.0, 0.0, 2 * HALF])
    np.testing.assert_allclose(matrix, DST_FROM_SRC[:3, :3], atol=1e-15)


def test_many_poses_are_what_each_is_alone():
    quats, translations_m = random_rotations(6), np.random.default_rng(1).normal(size=(6, 3)) * 1000
    many = pose(quats, translations_m)
    assert many.shape == (6, 4, 4)
    for one, inverse, quat, translation_m in zip(many, invert_pose(many), quats, translations_m):
        np.testing.assert_array_equal(one, pose(quat.tolist(), translation_m.tolist()))
        np.testing.assert_array_equal(inverse, invert_pose(one))
        np.testing.assert_allclose(inverse @ one, np.eye(4), atol=1e-12)
    assert invert_pose(pose(np.zeros((0, 4)), np.zeros((0, 3)))).shape == (0, 4, 4)
