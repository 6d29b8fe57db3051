"""Several opinions about one sample become one: weighted box fusion of rotated 3D boxes.

Source: Solovyev et al., "Weighted boxes fusion", Image and Vision Computing 107 (2021), section 3. The delta:
boxes are near by the distance of their centres in the ground plane, as the nuScenes metric has it, and a
group takes at most one box of each source; yaw is averaged as an axis, since detectors confuse front and
rear, and its direction is put to the vote; a group's score is sum(weight * score) / sum(all weights), the
paper's mean times the share of the sources that found it. One source alone, or the same one several times,
comes back unchanged.
"""
from collections import defaultdict
from dataclasses import dataclass
from typing import DefaultDict, List, Mapping, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int

from ..nuscenes_facts import CLASS_NAMES

Cell = Tuple[int, int, int]


def group_boxes(*, center_xy_m: Float[np.ndarray, 'n 2'], labels: Int[np.ndarray, ' n'],
                source: Int[np.ndarray, ' n'], pull: Float[np.ndarray, ' n'],
                radius_m: Sequence[float]) -> Int[np.ndarray, ' n']:
    """Lets each box, strongest first, join the nearest group of its class or start a new one.

    Args:
        center_xy_m: centres in the ground plane.
        labels: classes; only boxes of one class meet.
        source: which model or file each box is from.
        pull: how much each box counts; of equal ones the earlier comes first.
        radius_m: by class, a box joins a group whose centre is nearer than this.

    Returns:
        The group of each box, numbered from 0 in the order in which they began.
    """
    groups = _Groups(radius_m)
    group_of = np.empty(len(labels), dtype=int)
    order = np.argsort(-pull, kind='stable')
    columns = (center_xy_m[order, 0], center_xy_m[order, 1], labels[order], source[order], pull[order])
    # Plain numbers: one box at a time, numpy's cost a call is what would count.
    for index, *box in zip(order.tolist(), *(column.tolist() for column in columns)):
        group_of[index] = groups.add(*box)
    return group_of


class _Groups:
    """Groups of boxes, found again by the square of the ground in which their centre lies.

    Args:
        radius_m: by class, also the side of its squares.
    """

    def __init__(self, radius_m: Sequence[float]) -> None:
        self.radius_m = list(radius_m)
        self.center_xy_m: List[Tuple[float, float]] = []
        self.pull: List[float] = []
        self.sources: List[int] = []
        self.in_cell: DefaultDict[Cell, List[int]] = defaultdict(list)

    def add(self, x_m: float, y_m: float, label: int, source: int, pull: float) -> int:
        """Puts a box into a group and returns its number."""
        group = self._nearest(x_m, y_m, label, source)
        if group is None:
            group = len(self.pull)
            self.center_xy_m.append((x_m, y_m))
            self.pull.append(pull)
            self.sources.append(1 << source)
            self.in_cell[self._cell(x_m, y_m, label)].append(group)
            return group
        old_x_m, old_y_m = self.center_xy_m[group]
        self.sources[group] |= 1 << source
        self.pull[group] += pull
        share = pull / self.pull[group]
        center = (old_x_m + share * (x_m - old_x_m), old_y_m + share * (y_m - old_y_m))
        self.center_xy_m[group] = center
        before, after = self._cell(old_x_m, old_y_m, label), self._cell(*center, label)
        if before != after:
            self.in_cell[before].remove(group)
            self.in_cell[after].append(group)
        return group

    def _nearest(self, x_m: float, y_m: float, label: int, source: int) -> 'int | None':
        """Returns the nearest group within the radius that has no box of this source."""
        _, column, row = self._cell(x_m, y_m, label)
        nearest, nearest_m2 = None, self.radius_m[label] ** 2
        for near_column in (column - 1, column, column + 1):
            for near_row in (row - 1, row, row + 1):
                for group in self.in_cell.get((label, near_column, near_row), ()):
                    center_x_m, center_y_m = self.center_xy_m[group]
                    distance_m2 = (center_x_m - x_m) ** 2 + (center_y_m - y_m) ** 2
                    if distance_m2 < nearest_m2 and not self.sources[group] >> source & 1:
                        nearest, nearest_m2 = group, distance_m2
        return nearest

    def _cell(self, x_m: float, y_m: float, label: int) -> Cell:
        side_m = self.radius_m[label]
        return label, int(x_m // side_m), int(y_m // side_m)


# Boxes of two sources whose centres are nearer than this are one object. All classes go by centre
# distance, not by IoU: a step sideways that the metric forgives takes all IoU from a pedestrian. The
# distances stay below that of two objects side by side.
RADIUS_M: Mapping[str, float] = {
    'car': 1.0, 'truck': 1.5, 'construction_vehicle': 1.5, 'bus': 1.5, 'trailer': 1.5, 'barrier': 0.5,
    'motorcycle': 0.5, 'bicycle': 0.5, 'pedestrian': 0.4, 'traffic_cone': 0.4}
LEAST_PULL = 1e-9
YAW = 6


@dataclass(frozen=True)
class Opinions:
    """Boxes of one sample from several sources, in one frame.

    Attributes:
        boxes: centre x, y, z, three sizes, yaw, velocity x, y.
        scores: confidences in [0, 1].
        labels: index of each box's class.
        source: index of each box's source.
    """

    boxes: Float[np.ndarray, 'n 9']
    scores: Float[np.ndarray, ' n']
    labels: Int[np.ndarray, ' n']
    source: Int[np.ndarray, ' n']


@dataclass(frozen=True)
class Fused:
    """What the sources agree on, best score first.

    Attributes:
        boxes: as in Opinions.
        scores: confidences in [0, 1].
        labels: index of each box's class.
        group_of: for each box of the opinions, the fused box that it went into.
        pull: how much each of them counted there.
    """

    boxes: Float[np.ndarray, 'm 9']
    scores: Float[np.ndarray, ' m']
    labels: Int[np.ndarray, ' m']
    group_of: Int[np.ndarray, ' n']
    pull: Float[np.ndarray, ' n']


def fuse(opinions: Opinions, *, weights: Sequence[float],
         radius_m: Mapping[str, float] = RADIUS_M,
         class_names: Sequence[str] = CLASS_NAMES) -> Fused:
    """Fuses the boxes of one sample.

    Args:
        opinions: all boxes.
        weights: trust in each source, above 0.
        radius_m: see RADIUS_M.
        class_names: what the labels stand for.
    """
    trust = np.asarray(weights, dtype=float) / np.sum(weights)
    votes = trust[opinions.source] * opinions.scores
    # A box of score 0 still has a place.
    pull = np.maximum(votes, LEAST_PULL)
    group_of = group_boxes(center_xy_m=opinions.boxes[:, :2], labels=opinions.labels,
                           source=opinions.source, pull=pull,
                           radius_m=[radius_m[name] for name in class_names])
    count = int(group_of.max()) + 1 if len(group_of) else 0
    score = np.bincount(group_of, votes, count)
    order = np.argsort(-score, kind='stable')
    rank = np.empty(count, dtype=int)
    rank[order] = np.arange(count)
    group_of = rank[group_of]
    best = _strongest(group_of, pull, count)
    return Fused(boxes=_mean_boxes(opinions.boxes, group_of, pull, best),
                 scores=np.minimum(score[order], 1.0), labels=opinions.labels[best],
                 group_of=group_of, pull=pull)


def vote(values: Int[np.ndarray, ' n'], fused: Fused) -> Int[np.ndarray, ' m']:
    """Returns for each fused box the value that pulls most; the strongest box's among equals.

    Args:
        values: one small non-negative integer a box of the opinions.
        fused: what they became.
    """
    count = len(fused.scores)
    best = _strongest(fused.group_of, fused.pull, count)
    kinds = int(values.max(initial=0)) + 1
    votes = np.bincount(fused.group_of * kinds + values, fused.pull, count * kinds).astype(float)
    votes = votes.reshape(count, kinds)
    # A little more than nothing for the strongest box's value, less than any difference of scores.
    votes[np.arange(count), values[best]] *= 1 + 1e-9
    return votes.argmax(axis=1)


def _strongest(group_of: Int[np.ndarray, ' n'], pull: Float[np.ndarray, ' n'], count: int
               ) -> Int[np.ndarray, ' m']:
    """Returns the first strongest box of each group."""
    best = np.zeros(count, dtype=int)
    # Weakest first, of equal ones the later first: what is written last stays.
    order = np.lexsort((-np.arange(len(pull)), pull))
    best[group_of[order]] = order
    return best


def _mean_boxes(boxes: Float[np.ndarray, 'n 9'], group_of: Int[np.ndarray, ' n'],
                pull: Float[np.ndarray, ' n'], best: Int[np.ndarray, ' m']) -> Float[np.ndarray, 'm 9']:
    """Averages each group as its strongest box plus a mean difference: boxes that agree stay exact."""
    count, strongest = len(best), boxes[best]
    difference = boxes - strongest[group_of]
    total = np.bincount(group_of, pull, count)
    mean = np.stack([np.bincount(group_of, pull * column, count) for column in difference.T],
                    axis=1) / total[:, None]
    mean[:, YAW] = _mean_turn(difference[:, YAW], group_of, pull, total)
    return strongest + mean


def _mean_turn(turn_rad: Float[np.ndarray, ' n'], group_of: Int[np.ndarray, ' n'],
               pull: Float[np.ndarray, ' n'], total: Float[np.ndarray, ' m']) -> Float[np.ndarray, ' m']:
    """Averages angles as axes (doubled, opposite directions are one), then votes on the direction."""
    count = len(total)
    sine = np.bincount(group_of, pull * np.sin(2 * turn_rad), count)
    cosine = np.bincount(group_of, pull * np.cos(2 * turn_rad), count)
    # Two boxes across each other have no mean axis: the strongest one's stays.
    is_clear = np.hypot(sine, cosine) > 1e-6 * total
    axis_rad = np.where(is_clear, np.arctan2(sine, cosine) / 2, 0.0)
    along = np.bincount(group_of, pull * np.cos(turn_rad - axis_rad[group_of]), count)
    return np.where(along < -1e-9 * total, axis_rad + np.pi, axis_rad)
