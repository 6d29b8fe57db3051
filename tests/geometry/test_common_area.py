"""The shared area of turned rectangles, where sides lie on each other and where corners do."""
import math

import pytest
import torch

from geminifusion3d.geometry.common_area import common_area_m2


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
