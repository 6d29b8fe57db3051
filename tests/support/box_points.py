"""Which points lie in a box, written apart from the code under test."""
import numpy as np


def points_in_box(points_m: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Indices of points in one bottom-centre box (x, y, z, l, w, h, yaw)."""
    offset = points_m - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    along, across = offset @ [cos, sin, 0], offset @ [-sin, cos, 0]
    return np.flatnonzero((abs(along) < box[3] / 2) & (abs(across) < box[4] / 2)
                          & (offset[:, 2] > 0) & (offset[:, 2] < box[5]))
