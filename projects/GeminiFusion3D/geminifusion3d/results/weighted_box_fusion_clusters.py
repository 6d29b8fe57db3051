"""Which boxes of several sources are the same object: the grouping of weighted box fusion.

Source: Solovyev et al., "Weighted boxes fusion", Image and Vision Computing 107 (2021), section 3. The
delta: boxes are near by the distance of their centres in the ground plane, as the nuScenes metric has
it, and a group takes at most one box of each source.
"""
from collections import defaultdict
from typing import DefaultDict, List, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int

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
