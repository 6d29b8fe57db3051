"""Solids by hand and against slow references: points inside, boxes in each other's way."""
import math

import numpy as np
import pytest
import torch
from box_points import points_in_box
from shapely.geometry import Polygon

from geminifusion3d.geometry.boxes import boxes_overlap, common_area_m2, points_in_boxes

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


def test_points_far_away_at_infinity_or_nowhere_are_in_no_box():
    points = [[1e9, 5], [-1e9, 5], [10, np.inf], [-np.inf, 5], [np.nan, 5], [10, np.nan], [10, 5]]
    points_m = np.column_stack([np.array(points, np.float32), np.full(7, -0.5, np.float32)])
    assert [found.tolist() for found in points_in_boxes(points_m, BOX[[0, 0]])] == [[6], [6]]


@pytest.mark.parametrize('far_m', [0.0, 3e3, 1e6])
def test_points_and_boxes_may_be_anywhere_on_a_ground_that_is_not_square(far_m):
    points = np.random.default_rng(0).uniform([-40, -4, -3], [40, 4, 3], (2000, 3))
    boxes = random_boxes(20, seed=1)
    points[:, 0], boxes[:, 0] = points[:, 0] + far_m, boxes[:, 0] + far_m
    found = points_in_boxes(points, boxes)
    assert sum(map(len, found)) > 100
    assert all(found[row].tolist() == points_in_box(points, box).tolist() for row, box in enumerate(boxes))


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


def rectangles(*rows):
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize('other, expected_m2', [
    ((0, 0, 4, 2, 0), 8.0), ((2, 0, 4, 2, 0), 4.0), ((4, 0, 4, 2, 0), 0.0), ((0, 0, 2, 4, math.pi / 2), 8.0),
    # Twice as large around it, a quarter of it in a corner, a cross, far away.
    ((0, 0, 9, 6, 1.0), 8.0), ((2, 1, 4, 2, 0), 2.0), ((0, 0, 1, 9, 0), 2.0), ((50, 9, 4, 2, 1.0), 0.0),
    # A diamond of diagonal 2 with its left corner in the middle of the right side, then half of it inside.
    ((3, 0, math.sqrt(2), math.sqrt(2), math.pi / 4), 0.0),
    ((2, 0, math.sqrt(2), math.sqrt(2), math.pi / 4), 1.0)])
def test_areas_by_hand_in_any_frame(other, expected_m2):
    pair = rectangles((0, 0, 4, 2, 0)), rectangles(other)
    for turn_rad in (0.0, 0.7, math.pi / 2, 3.0):
        cos, sin = math.cos(turn_rad), math.sin(turn_rad)
        one, two = (torch.cat([box[:, :1] * cos - box[:, 1:2] * sin + 30,
                               box[:, :1] * sin + box[:, 1:2] * cos - 9,
                               box[:, 2:4], box[:, 4:] + turn_rad], dim=1) for box in pair)
        for found in (common_area_m2(one, two), common_area_m2(two, one)):
            assert found.item() == pytest.approx(expected_m2, abs=1e-9)


def test_random_pairs_against_points_thrown_at_them():
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(30, 5, generator=generator, dtype=torch.float64) * 3 + 0.5 for _ in range(2))
    points = torch.rand(40_000, 2, generator=generator, dtype=torch.float64) * 10 - 3

    def contains(box):
        x, y = (points[:, None] - box[:, :2]).unbind(-1)
        along, across = x * box[:, 4].cos() + y * box[:, 4].sin(), y * box[:, 4].cos() - x * box[:, 4].sin()
        return (along.abs() < box[:, 2] / 2) & (across.abs() < box[:, 3] / 2)

    expected_m2 = (contains(first) & contains(second)).double().mean(0) * 100
    assert (expected_m2 > 1).sum() > 5
    # Four standard deviations of an area of 4 square metres are 0.4.
    assert (common_area_m2(first, second) - expected_m2).abs().max() < 0.4


def test_no_pairs_give_no_areas_and_gradients_are_right():
    assert common_area_m2(torch.zeros(0, 5), torch.zeros(0, 5)).shape == (0,)
    pair = rectangles((0.1, 0.2, 4, 2, 0.3)).requires_grad_(), rectangles((1.0, -0.3, 3, 2.5, 1.1))
    assert torch.autograd.gradcheck(lambda box: common_area_m2(box, pair[1]), pair[:1])
