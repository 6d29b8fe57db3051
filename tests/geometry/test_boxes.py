"""Solids by hand and against slow references: points inside, boxes in each other's way."""
import numpy as np
import pytest
from box_points import points_in_box
from shapely.geometry import Polygon

from geminifusion3d.geometry.boxes import boxes_overlap, points_in_boxes

# 4 m along x and 2 m across, 1 m high, standing on z = -1.
BOX = np.array([[10.0, 5.0, -1.0, 4.0, 2.0, 1.0, 0.0]])


def random_boxes(count: int, seed: int, spread_m: float = 12.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-spread_m, spread_m, (count, 2)), rng.uniform(-2, 0, count),
                            rng.uniform(0.3, 8, (count, 2)), rng.uniform(1, 3, count),
                            rng.uniform(-np.pi, np.pi, count)])


def polygon(box: np.ndarray) -> Polygon:
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    cos, sin = np.cos(box[6]), np.sin(box[6])
    return Polygon(signs * box[3:5] @ [[cos, sin], [-sin, cos]] + box[:2])


def test_a_box_holds_what_is_between_its_faces():
    points = np.array([[10, 5, -0.5], [11.9, 5.9, -0.1], [12.1, 5, -0.5], [10, 6.1, -0.5], [10, 5, -1.1],
                       [10, 5, 0.1], [12, 5, -0.5], [10, 5, 0], [8.1, 4.1, -0.9]], np.float32)
    inside, = points_in_boxes(points, BOX)
    assert inside.tolist() == [0, 1, 8]


def test_a_quarter_turn_swaps_length_and_width():
    turned = BOX.copy()
    turned[0, 6] = np.pi / 2
    points = np.array([[10, 6.9, -0.5], [11.9, 5, -0.5]], np.float32)
    assert points_in_boxes(points, turned)[0].tolist() == [0]
    assert points_in_boxes(points, BOX)[0].tolist() == [1]


def test_points_in_boxes_agrees_with_a_reference():
    points = np.random.default_rng(0).uniform([-15, -15, -3], [15, 15, 3], (4000, 3)).astype(np.float32)
    boxes = random_boxes(30, seed=1)
    found = points_in_boxes(points, boxes)
    assert sum(map(len, found)) > 500
    for box, indices in zip(boxes, found):
        assert indices.tolist() == points_in_box(points, box).tolist()


def test_no_points_and_no_boxes_are_fine():
    assert points_in_boxes(np.zeros((0, 3), np.float32), BOX)[0].tolist() == []
    assert points_in_boxes(np.zeros((5, 3), np.float32), np.zeros((0, 7))) == []
    assert boxes_overlap(BOX, np.zeros((0, 7))).shape == (1, 0)


@pytest.mark.parametrize('change, overlaps', [
    ([0, 0, 0, 0, 0, 0, 0], True),
    ([0, 0, 9, 0, 0, 0, 0], True),  # above: seen from above it is in the way
    ([4.01, 0, 0, 0, 0, 0, 0], False),
    ([3.99, 0, 0, 0, 0, 0, 0], True),
    ([0, 2.01, 0, 0, 0, 0, 0], False),
    ([0, 0, 0, -3, -1.5, 0, 0.4], True),  # wholly inside
    # A diamond of 1.5 m half diagonal beyond the corner: bounding boxes overlap, the boxes do not.
    ([2.9, 1.9, 0, -1.88, 0.12, 0, np.pi / 4], False),
    ([2.6, 1.6, 0, -1.88, 0.12, 0, np.pi / 4], True)])
def test_overlap_by_hand(change, overlaps):
    other = BOX + np.array(change)
    assert boxes_overlap(BOX, other).item() is overlaps
    assert boxes_overlap(other, BOX).item() is overlaps


def test_overlap_agrees_with_polygons():
    boxes, others = random_boxes(40, seed=2), random_boxes(30, seed=3)
    expected = [[polygon(a).intersection(polygon(b)).area > 0 for b in others] for a in boxes]
    assert 0.05 < np.mean(expected) < 0.95
    np.testing.assert_array_equal(boxes_overlap(boxes, others), expected)
