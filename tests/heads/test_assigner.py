"""One query an object: costs by hand, the best of all permutations, and numbers that are not finite."""
import math
from itertools import permutations

import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.heads.transfusion_targets import HungarianAssigner, rotated_iou_3d

GRID = BEVGrid(range_m=(-12., -8., -3., 12., 8., 3.), cell_m=1.0)
CAR, TRUCK = 0, 1


def box(x, y, *, size=(2.0, 2.0, 2.0), yaw=0.0, z=0.0):
    """Returns a (1, 9) box."""
    return torch.tensor([[x, y, z, *size, yaw, 0.0, 0.0]])


def assigner(*, class_weight=0.0, centre_weight=0.0, iou_weight=0.0):
    """Returns an assigner that looks at the named costs only."""
    return HungarianAssigner(bev_grid=GRID, class_weight=class_weight, centre_weight=centre_weight,
                             iou_weight=iou_weight)


def test_distances_count_as_shares_of_each_axis_own_extent():
    # 3 m of 24 m along x cost 0.125; 2.5 m of 16 m along y cost more: 0.156.
    boxes = torch.cat([box(0, 2.5), box(3, 0)])
    pairs = assigner(centre_weight=1.0).assign(boxes, torch.zeros(2, 10), box(0, 0), torch.tensor([CAR]))
    assert pairs.queries.tolist() == [1] and pairs.objects.tolist() == [0]


def test_the_class_cost_prefers_the_query_that_says_so():
    logits = torch.full((2, 10), -3.0)
    logits[0, CAR], logits[1, TRUCK] = 3.0, 3.0
    pairs = assigner(class_weight=1.0).assign(
        torch.cat([box(0, 0), box(0, 0)]), logits, torch.cat([box(5, 5), box(5, 5)]),
        torch.tensor([TRUCK, CAR]))
    assert dict(zip(pairs.queries.tolist(), pairs.objects.tolist())) == {0: 1, 1: 0}


def test_the_overlap_cost_prefers_the_query_that_overlaps():
    boxes = torch.cat([box(1.5, 0), box(1.0, 0)])
    pairs = assigner(iou_weight=1.0).assign(boxes, torch.zeros(2, 10), box(0, 0), torch.tensor([CAR]))
    assert pairs.queries.tolist() == [1]
    assert pairs.ious.item() == pytest.approx(1 / 3)  # 1x2x2 of 2 * 2x2x2 - 1x2x2


def test_overlaps_by_hand():
    turned = box(0, 0, yaw=math.pi / 4)
    # A square and itself turned by 45 degrees share a regular octagon of area 8 (sqrt(2) - 1).
    octagon = 8 * (math.sqrt(2) - 1)
    others = torch.cat([box(0, 0), turned, box(0, 0, z=1.0), box(9, 0)])
    expected = [1.0, octagon / (8 - octagon), 1 / 3, 0.0]
    assert torch.allclose(rotated_iou_3d(box(0, 0), others)[0], torch.tensor(expected), atol=1e-5)


def test_a_turned_box_covers_its_diagonal_and_not_the_other():
    # 8 m long, turned by 45 degrees: it reaches (2, 2) and stays clear of (2, -2).
    long = box(0, 0, size=(8.0, 2.0, 2.0), yaw=math.pi / 4)
    cubes = torch.cat([box(2, 2, size=(1.0, 1.0, 2.0)), box(2, -2, size=(1.0, 1.0, 2.0))])
    assert torch.allclose(rotated_iou_3d(long, cubes)[0], torch.tensor([1 / 16, 0.0]), atol=1e-5)


@pytest.mark.mmcv_operators
def test_overlaps_are_those_of_mmdet3d():
    generator = torch.Generator().manual_seed(0)
    boxes, others = (torch.rand(n, 9, generator=generator) * 4 - 2 for n in (30, 20))
    for some in (boxes, others):
        some[:, 3:6] = some[:, 3:6].abs() * 2 + 0.2
    expected = LiDARInstance3DBoxes.overlaps(
        LiDARInstance3DBoxes(boxes[:, :7]), LiDARInstance3DBoxes(others[:, :7]))
    assert (expected > 0.05).float().mean() > 0.1
    assert torch.allclose(rotated_iou_3d(boxes, others), expected, atol=1e-5)


def test_it_is_the_cheapest_of_all_assignments():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(5, 9, generator=generator) * 4 + 1
    objects = torch.rand(3, 9, generator=generator) * 4 + 1
    logits, classes = torch.randn(5, 10, generator=generator), torch.tensor([0, 4, 8])
    pairs = assigner(class_weight=0.15, centre_weight=0.25, iou_weight=0.25).assign(
        boxes, logits, objects, classes)

    def cost(query, index):
        score = logits[query, classes[index]].sigmoid().item()
        focal = (-0.25 * (1 - score) ** 2 * math.log(score)
                 + 0.75 * score ** 2 * math.log(1 - score))
        distance = sum(abs(boxes[query, axis] - objects[index, axis]).item() / extent
                       for axis, extent in ((0, 24), (1, 16)))
        overlap = rotated_iou_3d(boxes[query:query + 1], objects[index:index + 1]).item()
        return 0.15 * focal + 0.25 * distance - 0.25 * overlap

    best = min(permutations(range(5), 3), key=lambda order: sum(cost(q, i) for i, q in enumerate(order)))
    assert dict(zip(pairs.objects.tolist(), pairs.queries.tolist())) == dict(enumerate(best))


@pytest.mark.parametrize('n_boxes, n_objects', [(4, 0), (2, 5), (4, 4)])
def test_every_object_gets_a_query_while_there_are_some(n_boxes, n_objects):
    generator = torch.Generator().manual_seed(0)
    pairs = assigner(centre_weight=1.0).assign(
        torch.rand(n_boxes, 9, generator=generator) + 1, torch.zeros(n_boxes, 10),
        torch.rand(n_objects, 9, generator=generator) + 1, torch.zeros(n_objects, dtype=torch.long))
    n_pairs = min(n_boxes, n_objects)
    assert len(set(pairs.queries.tolist())) == len(set(pairs.objects.tolist())) == n_pairs
    assert pairs.ious.shape == (n_pairs,)


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf'), 1e30])
def test_a_query_that_is_not_finite_is_taken_last(bad):
    boxes, logits = torch.cat([box(0, 0), box(5, 5), box(7, 7)]), torch.zeros(3, 10)
    boxes[0, 3], boxes[1, 0] = bad, bad
    logits[1] = bad
    weights = dict(class_weight=0.15, centre_weight=0.25, iou_weight=0.25)
    one = assigner(**weights).assign(boxes[1:], logits[1:], box(5, 5), torch.tensor([CAR]))
    assert one.queries.tolist() == [1]
    three = assigner(**weights).assign(boxes, logits, torch.cat([box(0, 0)] * 3),
                                       torch.tensor([CAR] * 3))
    assert len(three.queries) == 3 and three.ious.isfinite().all()
