"""Finds which points are near which box: the ground in squares that list the boxes touching them.

Boxes are (x, y, z, l, w, h, yaw, ...), float64; seen from above, their plan is a rectangle.
"""
from typing import Tuple

import numpy as np
from jaxtyping import Bool, Float, Int

# Side of a square, unless that makes too many in a row.
SQUARE_M = 0.5
MOST_IN_A_ROW = 512
# From a square's centre to its corner, in sides, and a little for rounding in float32.
HALF_DIAGONAL = 0.5 ** 0.5 + 0.02


class GroundSquares:
    """Squares over the plans of boxes.

    Args:
        boxes: at least one box.
    """

    def __init__(self, boxes: Float[np.ndarray, 'm d']) -> None:
        reach_m = np.hypot(boxes[:, 3], boxes[:, 4])[:, None] / 2
        low_m, high_m = boxes[:, :2] - reach_m, boxes[:, :2] + reach_m
        extent_m = high_m.max(axis=0) - low_m.min(axis=0)
        self._side_m = max(SQUARE_M, extent_m.max() / MOST_IN_A_ROW)
        self._origin_m = low_m.min(axis=0) - 2 * self._side_m
        # Each rectangle around a box is one square wider than it need be, so that the outermost squares of
        # the ground touch no box.
        first, last = ((bound_m - self._origin_m) // self._side_m for bound_m in (low_m, high_m))
        box_of, columns_rows = _squares_in(first.astype(int) - 1, last.astype(int) + 1)
        self._n_x, self._n_y = columns_rows.max(axis=0) + 2
        centre_m = self._origin_m + (columns_rows + 0.5) * self._side_m
        touches = is_on_plan(centre_m - boxes[box_of, :2], boxes, box_of,
                             margin_m=HALF_DIAGONAL * self._side_m)
        squares = columns_rows[touches] @ [self._n_y, 1]
        self._boxes = box_of[touches][np.argsort(squares, kind='stable')]
        self._num_boxes = np.bincount(squares, minlength=self._n_x * self._n_y)
        self._first_box = self._num_boxes.cumsum() - self._num_boxes

    def pairs(self, points_m: Float[np.ndarray, 'n k']
              ) -> Tuple[Int[np.ndarray, ' p'], Int[np.ndarray, ' p']]:
        """Returns all pairs of a point and a box that touches the point's square, in the order of the points.

        Args:
            points_m: x, y and any further columns.

        Returns:
            Index of the point and index of the box, one entry per pair.
        """
        x_m, y_m = points_m[:, 0], points_m[:, 1]
        # The ground ends amid its outermost squares: rounding leads a point into no square beyond.
        low_x_m, low_y_m = self._origin_m + self._side_m / 2
        high_x_m, high_y_m = self._origin_m + self._side_m * np.array([self._n_x - 0.5, self._n_y - 0.5])
        point = np.flatnonzero((x_m >= low_x_m) & (x_m <= high_x_m) & (y_m >= low_y_m) & (y_m <= high_y_m))
        column = ((x_m[point] - self._origin_m[0]) / self._side_m).astype(int)
        row = ((y_m[point] - self._origin_m[1]) / self._side_m).astype(int)
        square = column * self._n_y + row
        num_pairs = self._num_boxes[square]
        return point.repeat(num_pairs), self._boxes[
            self._first_box[square].repeat(num_pairs) + _count_up(num_pairs)]


def is_on_plan(offset_m: Float[np.ndarray, 'p 2'], boxes: Float[np.ndarray, 'm d'],
               box_of: Int[np.ndarray, ' p'], *, margin_m: float = 0.0) -> Bool[np.ndarray, ' p']:
    """Returns which points lie on their box's plan; points on its edge do not.

    Args:
        offset_m: from the box's centre to the point.
        boxes: the boxes.
        box_of: index of each point's box.
        margin_m: how much wider the plan is on all four sides.
    """
    x_m, y_m = offset_m.T
    cos, sin = np.cos(boxes[:, 6])[box_of], np.sin(boxes[:, 6])[box_of]
    half_length_m, half_width_m = (boxes[:, 3:5] / 2 + margin_m)[box_of].T
    return (np.abs(x_m * cos + y_m * sin) < half_length_m) & (np.abs(y_m * cos - x_m * sin) < half_width_m)


def _squares_in(first: Int[np.ndarray, 'm 2'], last: Int[np.ndarray, 'm 2']
                ) -> Tuple[Int[np.ndarray, ' s'], Int[np.ndarray, 's 2']]:
    """Returns (rectangle, (column, row)) of all squares in m rectangles of squares."""
    n_x, n_y = (last - first + 1).T
    rectangle = np.arange(len(first)).repeat(n_x * n_y)
    columns_rows = np.stack(np.divmod(_count_up(n_x * n_y), n_y[rectangle]), axis=1)
    return rectangle, first[rectangle] + columns_rows


def _count_up(lengths: Int[np.ndarray, ' n']) -> Int[np.ndarray, ' sum']:
    """Returns 0, 1, ... below each length, one after the other."""
    return np.arange(lengths.sum()) - (lengths.cumsum() - lengths).repeat(lengths)
