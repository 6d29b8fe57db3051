"""From a 3D box to line segments in an image: corners, the near plane, the pinhole, the frame.

Used by `drawing` and `picture`. Corner order is the devkit's (`Box.corners`): 0-3 are the
front face, 4-7 the rear face, each clockwise from the top left seen from behind.
"""
from typing import Tuple

import numpy as np

from geminifusion3d.geometry.frames import pose, transform_points

CORNER_SIGNS_XYZ = np.array([
    [1, 1, 1], [1, -1, 1], [1, -1, -1], [1, 1, -1],
    [-1, 1, 1], [-1, -1, 1], [-1, -1, -1], [-1, 1, -1]], dtype=np.float64)
EDGES = ((0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7))
FRONT_FACE = (0, 1, 2, 3)
FOOTPRINT = (3, 2, 6, 7)
NEAR_M = 0.2


def box_corners(translation_m: Tuple[float, ...], size_wlh_m: Tuple[float, ...],
                rotation_wxyz: Tuple[float, ...]) -> np.ndarray:
    """Returns the corners (8, 3) in the frame of `translation_m`; the box heads along its x.

    Args:
        translation_m: centre of the box.
        size_wlh_m: width, length, height, as in the nuScenes tables.
        rotation_wxyz: unit quaternion, scalar first.
    """
    width_m, length_m, height_m = size_wlh_m
    corners_box = CORNER_SIGNS_XYZ * np.array([length_m, width_m, height_m]) / 2
    return transform_points(pose([*rotation_wxyz], [*translation_m]), corners_box)


def clip_to_near_plane(segments_cam: np.ndarray, near_m: float = NEAR_M) -> np.ndarray:
    """Cuts segments at depth `near_m`; what lies behind is dropped.

    Args:
        segments_cam: (S, 2, 3) end points in the camera frame, z is depth.
        near_m: depth of the plane in metres.

    Returns:
        (S', 2, 3), S' <= S, every depth >= near_m.
    """
    kept = []
    for start, end in segments_cam:
        if start[2] < near_m and end[2] < near_m:
            continue
        if start[2] < near_m or end[2] < near_m:
            cut = start + (end - start) * (near_m - start[2]) / (end[2] - start[2])
            start, end = (cut, end) if start[2] < near_m else (start, cut)
        kept.append((start, end))
    return np.array(kept, dtype=np.float64).reshape(-1, 2, 3)


def project(points_cam: np.ndarray, intrinsic: np.ndarray) -> np.ndarray:
    """Projects (..., 3) points with positive depth to (..., 2) pixels (u right, v down)."""
    homogeneous = points_cam @ intrinsic.T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def clip_to_image(segments_px: np.ndarray, width_px: float, height_px: float) -> np.ndarray:
    """Cuts (S, 2, 2) segments to [0, width] x [0, height] (Liang and Barsky, 1984)."""
    kept = []
    for start, end in segments_px:
        step = end - start
        first, last = 0.0, 1.0
        for axis, limit in ((0, width_px), (1, height_px)):
            for slope, room in ((-step[axis], start[axis]), (step[axis], limit - start[axis])):
                if slope == 0:
                    # Parallel to this border: all of it is inside, or none (empty range).
                    last = last if room >= 0 else -1.0
                elif slope < 0:
                    first = max(first, room / slope)
                else:
                    last = min(last, room / slope)
        if first < last:
            kept.append((start + first * step, start + last * step))
    return np.array(kept, dtype=np.float64).reshape(-1, 2, 2)


def box_segments_px(corners_cam: np.ndarray, intrinsic: np.ndarray, width_px: float,
                    height_px: float) -> np.ndarray:
    """Returns the visible parts (S, 2, 2) of a box's edges in pixels; none if out of view.

    Args:
        corners_cam: (8, 3) corners in the camera frame.
        intrinsic: 3x3 camera matrix.
        width_px: width of the image.
        height_px: height of the image.
    """
    in_front = clip_to_near_plane(corners_cam[np.array(EDGES)])
    return clip_to_image(project(in_front, intrinsic), width_px, height_px)
