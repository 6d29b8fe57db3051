"""Rigid transforms as 4x4 matrices named `dst_from_src`, in float64: chains must cancel."""
import numpy as np
from jaxtyping import Float
from pyquaternion import Quaternion

Pose = Float[np.ndarray, '4 4']


def pose(rotation_wxyz: 'list[float]', translation_m: 'list[float]') -> Pose:
    """Builds dst_from_src from a unit quaternion and the position of src's origin in dst.

    Args:
        rotation_wxyz: unit quaternion, scalar first, as in the nuScenes tables.
        translation_m: three metres.
    """
    dst_from_src = np.eye(4)
    dst_from_src[:3, :3] = Quaternion(rotation_wxyz).rotation_matrix
    dst_from_src[:3, 3] = translation_m
    return dst_from_src


def invert_pose(dst_from_src: Pose) -> Pose:
    """Returns src_from_dst; exact for a rotation and a translation, no general inverse needed."""
    src_from_dst = np.eye(4)
    src_from_dst[:3, :3] = dst_from_src[:3, :3].T
    src_from_dst[:3, 3] = -dst_from_src[:3, :3].T @ dst_from_src[:3, 3]
    return src_from_dst


def transform_points(dst_from_src: Pose, points_src: Float[np.ndarray, 'n 3']
                     ) -> Float[np.ndarray, 'n 3']:
    """Moves points from src to dst coordinates."""
    return points_src @ dst_from_src[:3, :3].T + dst_from_src[:3, 3]
