"""Columns and rows where shapes cannot tell them apart."""
import numpy as np

from geminifusion3d.geometry.ground_squares import _squares_in


def test_squares_fill_rectangles_of_any_proportions_column_by_column():
    rectangle, columns_rows = _squares_in(np.array([[5, 10], [0, 0]]), np.array([[6, 12], [2, 0]]))
    # Two columns of three rows, then three columns of one row.
    assert rectangle.tolist() == [0] * 6 + [1] * 3
    assert columns_rows.tolist() == [[5, 10], [5, 11], [5, 12], [6, 10], [6, 11], [6, 12],
                                     [0, 0], [1, 0], [2, 0]]
