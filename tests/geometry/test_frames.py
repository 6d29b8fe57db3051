"""Poses: hand-made quarter turns and round trips."""
import numpy as np
import pytest

from geminifusion3d.geometry.frames import invert_pose, pose, transform_points

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
