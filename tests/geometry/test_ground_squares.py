"""Which points share a square with a box: all that matter, and few others."""
import numpy as np
import pytest

from geminifusion3d.geometry import ground_squares
from geminifusion3d.geometry.ground_squares import GroundSquares, is_on_plan

# 4 m along x, 1 m across, and the same turned by a quarter 20 m further on.
BOXES = np.array([[10.0, 5.0, 0.0, 4.0, 1.0, 1.0, 0.0], [30.0, -5.0, 0.0, 4.0, 1.0, 1.0, np.pi / 2]])


def pairs(points: list, boxes: np.ndarray = BOXES) -> list:
    return [(int(point), int(box))
            for point, box in zip(*GroundSquares(boxes).pairs(np.array(points, np.float32)))]


def test_a_point_on_the_plan_or_beside_it_is_paired_with_the_box():
    assert pairs([[11.9, 5.4], [8.1, 4.6], [30.4, -3.1], [20, 0]]) == [(0, 0), (1, 0), (2, 1)]


def test_the_squares_follow_the_turned_box_and_not_the_circle_around_it():
    # 1.9 m across from the middle of a box of 1 m: inside the circle of 2.06 m, outside the box.
    assert pairs([[10, 6.9], [31.9, -5], [10, 3.1], [28.1, -5]]) == []


def test_points_far_away_at_infinity_or_nowhere_are_in_no_square():
    assert pairs([[1e9, 5], [-1e9, 5], [10, np.inf], [-np.inf, 5], [np.nan, 5], [10, np.nan]]) == []


def test_boxes_in_one_place_are_all_paired():
    assert pairs([[10, 5]], BOXES[[0, 0, 1, 0]]) == [(0, 0), (0, 1), (0, 3)]


@pytest.mark.parametrize('far_m', [0.0, 3e3, 1e6])
def test_nothing_on_a_plan_is_missed_however_large_the_ground(far_m):
    rng = np.random.default_rng(0)
    count = 40
    boxes = np.column_stack([rng.uniform(-40, 40, count), rng.uniform(-15, 15, count), np.zeros(count),
                             rng.uniform(0.2, 12, (count, 2)), np.ones(count), rng.uniform(-4, 4, count)])
    boxes[0, 0] += far_m
    points = rng.uniform([-45, -20], [45, 20], (3000, 2)).astype(np.float32)
    point_of, box_of = np.divmod(np.arange(3000 * count), count)
    is_on = is_on_plan(points[point_of] - boxes[box_of, :2], boxes, box_of)
    wanted = set(zip(point_of[is_on].tolist(), box_of[is_on].tolist()))
    found = list(zip(*(index.tolist() for index in GroundSquares(boxes).pairs(points))))
    assert len(wanted) > 1000 and wanted <= set(found) and len(set(found)) == len(found)
    if far_m == 0:
        assert len(found) < 1.5 * len(wanted)


def test_a_large_ground_has_larger_squares_not_more(monkeypatch):
    monkeypatch.setattr(ground_squares, 'MOST_IN_A_ROW', 8)
    squares = GroundSquares(BOXES)
    assert len(squares._num_boxes) <= 12 * 12
    assert (0, 0) in pairs([[10, 5]])
