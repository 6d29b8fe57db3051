"""Fused boxes are what a pencil says: means weighted by score, axes, votes, scores of those that saw it."""
import math
from typing import Any, List, Sequence

import numpy as np
import pytest

from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.weighted_box_fusion import RADIUS_M, Fused, Opinions, fuse, vote

CAR, PERSON = CLASS_NAMES.index('car'), CLASS_NAMES.index('pedestrian')


def box(x: float = 0.0, y: float = 0.0, yaw: float = 0.0, size: Sequence[float] = (2, 4, 1.5),
        velocity: Sequence[float] = (0, 0)) -> List[float]:
    return [x, y, 1.0, *size, yaw, *velocity]


def opinions(*rows: Any) -> Opinions:
    """Rows of (source, score, box) or (source, score, box, label)."""
    return Opinions(boxes=np.array([row[2] for row in rows], dtype=float).reshape(-1, 9),
                    scores=np.array([row[1] for row in rows], dtype=float),
                    labels=np.array([row[3] if len(row) > 3 else CAR for row in rows], dtype=int),
                    source=np.array([row[0] for row in rows], dtype=int))


def crowd(seed: int, count: int = 300) -> Opinions:
    """One source's boxes all over the ground, of all classes."""
    rng = np.random.default_rng(seed)
    return Opinions(boxes=np.column_stack([
        rng.uniform(1000, 1100, (count, 2)), rng.normal(size=count), rng.uniform(0.5, 5, (count, 3)),
        rng.uniform(-4, 4, count), rng.normal(size=(count, 2))]), scores=rng.uniform(0, 1, count),
        labels=rng.integers(0, 10, count), source=np.zeros(count, dtype=int))


def check_sorted_copy(fused: Fused, source: Opinions) -> None:
    order = np.argsort(-source.scores, kind='stable')
    np.testing.assert_array_equal(fused.boxes, source.boxes[order])
    np.testing.assert_array_equal(fused.scores, source.scores[order])
    np.testing.assert_array_equal(fused.labels, source.labels[order])


def test_center_size_and_velocity_are_means_weighted_by_score():
    # Pulls 0.75 and 0.25: x = 0.25 * 0.8, length = 4 + 0.25 * 0.4, velocity x = 0.75 * 2 + 0.25 * 6.
    fused = fuse(opinions((0, 0.75, box(velocity=(2, 0))),
                          (1, 0.25, box(x=0.8, size=(2, 4.4, 1.5), velocity=(6, -4)))), weights=[1, 1])
    assert fused.boxes[0] == pytest.approx(box(x=0.2, size=(2, 4.1, 1.5), velocity=(3, -1)))
    assert fused.scores == pytest.approx([0.5])


def test_weights_pull_boxes_and_scores():
    # Pulls 3 * 0.2 and 1 * 0.6 are equal: the middle. Score (3 * 0.2 + 0.6) / 4.
    fused = fuse(opinions((0, 0.2, box()), (1, 0.6, box(x=0.8))), weights=[3, 1])
    assert fused.boxes[0, 0] == pytest.approx(0.4)
    assert fused.scores == pytest.approx([0.3])


def test_a_score_falls_with_every_source_that_missed_the_object():
    rows = [(0, 0.9, box()), (1, 0.6, box(x=0.1)), (2, 0.9, box(x=30))]
    fused = fuse(opinions(*rows), weights=[1, 1, 1])
    assert fused.scores == pytest.approx([0.5, 0.3])
    assert fused.boxes[:, 0] == pytest.approx([0.04, 30])


@pytest.mark.parametrize('yaws, scores, expected', [
    ((0.2, 0.4), (0.5, 0.5), 0.3),
    # Across the seam of the circle.
    ((math.pi - 0.1, -math.pi + 0.1), (0.5, 0.5), math.pi),
    # One turned round: its axis counts, the direction is the heavier one's.
    ((0.2, 0.2 + math.pi), (0.6, 0.4), 0.2),
    ((0.2, 0.2 + math.pi), (0.4, 0.6), 0.2 + math.pi),
    # Axes 0 and 0.2 with pulls 0.8 and 0.4: 0.5 * atan2(0.4 sin 0.4, 0.8 + 0.4 cos 0.4).
    ((0.0, 0.2 + math.pi), (0.8, 0.4), 0.5 * math.atan2(0.4 * math.sin(0.4), 0.8 + 0.4 * math.cos(0.4))),
    # Across each other: no mean.
    ((0.3, 0.3 + math.pi / 2), (0.5, 0.5), 0.3)])
def test_yaw_is_a_mean_axis_with_a_vote_on_its_direction(yaws, scores, expected):
    fused = fuse(opinions(*((i, score, box(yaw=yaw)) for i, (yaw, score) in enumerate(zip(yaws, scores)))),
                 weights=[1, 1])
    assert math.cos(fused.boxes[0, 6] - expected) == pytest.approx(1)


def test_two_of_three_overrule_the_surest_about_front_and_rear():
    fused = fuse(opinions((0, 0.5, box(yaw=0.0)), (1, 0.4, box(yaw=math.pi)), (2, 0.4, box(yaw=math.pi))),
                 weights=[1, 1, 1])
    assert math.cos(fused.boxes[0, 6]) == pytest.approx(-1)


def test_only_boxes_of_one_class_and_of_different_sources_meet():
    rows = [(0, 0.9, box(), CAR), (1, 0.8, box(), PERSON), (0, 0.7, box(x=0.3), CAR)]
    assert len(fuse(opinions(*rows), weights=[1, 1]).scores) == 3


@pytest.mark.parametrize('class_name, radius_m', [
    ('car', 1.0), ('truck', 1.5), ('construction_vehicle', 1.5), ('bus', 1.5), ('trailer', 1.5),
    ('barrier', 0.5), ('motorcycle', 0.5), ('bicycle', 0.5), ('pedestrian', 0.4), ('traffic_cone', 0.4)])
def test_a_box_joins_within_the_radius_of_its_class_only(class_name, radius_m):
    label = CLASS_NAMES.index(class_name)
    for factor, count in ((0.99, 1), (1.01, 2)):
        rows = [(0, 0.9, box(x=-0.2), label), (1, 0.8, box(x=-0.2 + factor * radius_m), label)]
        assert len(fuse(opinions(*rows), weights=[1, 1]).scores) == count


def test_the_nearer_of_two_groups_gets_the_box():
    rows = [(0, 0.9, box()), (0, 0.8, box(x=1.2)), (1, 0.5, box(x=0.9))]
    assert fuse(opinions(*rows), weights=[1, 1]).group_of.tolist() == [1, 0, 0]


def test_a_group_is_where_its_mean_is_also_across_the_squares_of_the_search():
    # The first two have their mean at 1.0 - 0.05 * ...: 0.75 + 0.5 * 0.6 = 1.05; 1.95 is 0.9 from it, but
    # 1.2 from the strongest box.
    rows = [(0, 0.8, box(x=0.75)), (1, 0.8, box(x=1.35)), (2, 0.5, box(x=1.95))]
    assert len(fuse(opinions(*rows), weights=[1, 1, 1]).scores) == 1


@pytest.mark.parametrize('weights', [[1.0], [2.5]])
def test_one_source_alone_comes_back_to_the_last_digit(weights):
    check_sorted_copy(fuse(crowd(0), weights=weights), crowd(0))


def test_the_same_source_twice_comes_back_to_the_last_digit():
    # Far apart from each other: in a crowd, a copy may join a neighbour.
    one = crowd(1, 60)
    one.boxes[:, 0] = 10.0 * np.arange(60)
    both = Opinions(boxes=np.tile(one.boxes, (2, 1)), scores=np.tile(one.scores, 2),
                    labels=np.tile(one.labels, 2), source=np.repeat([0, 1], 60))
    check_sorted_copy(fuse(both, weights=[1, 1]), one)


@pytest.mark.parametrize('seed', range(3))
def test_the_order_of_the_boxes_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    first, second = crowd(seed), crowd(seed)
    moved = second.boxes + rng.normal(0, 0.1, second.boxes.shape)
    both = [np.concatenate(pair) for pair in (
        (first.boxes, moved), (first.scores, rng.uniform(0, 1, 300)), (first.labels, second.labels),
        (first.source, second.source + 1))]
    shuffle = rng.permutation(600)
    plain, shuffled = (fuse(Opinions(*(column[order] for column in both)), weights=[1, 2])
                       for order in (np.arange(600), shuffle))
    np.testing.assert_allclose(plain.boxes, shuffled.boxes, atol=1e-9)
    np.testing.assert_allclose(plain.scores, shuffled.scores, atol=1e-12)


def slow_groups(given: Opinions, weights: Sequence[float]) -> List[List[int]]:
    """The paper's loop with the distance to every group, one after the other."""
    pull = np.asarray(weights)[given.source] * given.scores
    groups: List[List[int]] = []
    for i in np.argsort(-pull, kind='stable'):
        best, best_m = None, RADIUS_M[CLASS_NAMES[given.labels[i]]]
        for group in groups:
            mean = np.average(given.boxes[group, :2], axis=0, weights=pull[group])
            distance_m = np.linalg.norm(given.boxes[i, :2] - mean)
            is_open = given.source[i] not in given.source[group] and given.labels[group[0]] == given.labels[i]
            if is_open and distance_m < best_m:
                best, best_m = group, distance_m
        if best is None:
            groups.append([i])
        else:
            best.append(i)
    return groups


def test_groups_are_those_of_a_search_through_all():
    rng = np.random.default_rng(5)
    count = 120
    given = Opinions(boxes=np.column_stack([rng.uniform(-6, 6, (3 * count, 2)), np.ones((3 * count, 7))]),
                     scores=rng.uniform(0.1, 1, 3 * count), labels=rng.integers(0, 3, 3 * count),
                     source=np.repeat([0, 1, 2], count))
    fused = fuse(given, weights=[1, 2, 1])
    found = {frozenset(np.flatnonzero(fused.group_of == group).tolist())
             for group in range(len(fused.scores))}
    assert found == {frozenset(map(int, group)) for group in slow_groups(given, [1, 2, 1])}


def test_votes_are_weighted_and_the_surest_breaks_a_tie():
    rows = [(0, 0.5, box()), (1, 0.3, box()), (2, 0.3, box()), (0, 0.4, box(x=9)), (1, 0.4, box(x=9))]
    fused = fuse(opinions(*rows), weights=[1, 1, 1])
    assert vote(np.array([4, 2, 2, 3, 1]), fused).tolist() == [2, 3]


def test_nothing_becomes_nothing():
    fused = fuse(opinions(), weights=[1, 1])
    assert fused.boxes.shape == (0, 9) and len(vote(np.zeros(0, dtype=int), fused)) == 0


def test_boxes_of_score_zero_keep_their_place():
    fused = fuse(opinions((0, 0.0, box(x=3))), weights=[1])
    assert fused.boxes[0].tolist() == box(x=3) and fused.scores.tolist() == [0]
