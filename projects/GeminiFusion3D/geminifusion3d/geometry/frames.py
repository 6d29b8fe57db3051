"""Rigid transforms as 4x4 matrices named `dst_from_src`, in float64: chains must cancel.

Functions that make or invert a pose take one or many at once: batch dimensions go first.
"""
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation

Pose = Float[np.ndarray, '4 4']
Poses = Float[np.ndarray, '*n 4 4']


def pose(rotation_wxyz: ArrayLike, translation_m: ArrayLike) -> Poses:
    """Builds dst_from_src from a unit quaternion and the position of src's origin in dst.

    Args:
        rotation_wxyz: (*n, 4), scalar first, as in the nuScenes tables; made unit if not quite.
        translation_m: (*n, 3).
    """
    rotation = rotation_matrix(rotation_wxyz)
    dst_from_src = np.zeros((*rotation.shape[:-2], 4, 4))
    dst_from_src[..., :3, :3] = rotation
    dst_from_src[..., :3, 3] = translation_m
    dst_from_src[..., 3, 3] = 1
    return dst_from_src


def rotation_matrix(rotation_wxyz: ArrayLike) -> Float[np.ndarray, '*n 3 3']:
    """Returns the matrices of unit quaternions.

    Args:
        rotation_wxyz: (*n, 4), scalar first; made unit if not quite.
    """
    quat = np.asarray(rotation_wxyz, dtype=np.float64)
    matrices = Rotation.from_quat(quat.reshape(-1, 4), scalar_first=True).as_matrix()
    return matrices.reshape(*quat.shape[:-1], 3, 3)


def invert_pose(dst_from_src: Poses) -> Poses:
    """Returns src_from_dst = (R^T, -R^T t): exact for a rotation R and a translation t.

    Args:
        dst_from_src: rigid transforms.
    """
    inverse_rotation = np.swapaxes(dst_from_src[..., :3, :3], -1, -2)
    src_from_dst = np.zeros(dst_from_src.shape)
    src_from_dst[..., :3, :3] = inverse_rotation
    src_from_dst[..., :3, 3:] = inverse_rotation @ -dst_from_src[..., :3, 3:]
    src_from_dst[..., 3, 3] = 1
    return src_from_dst


def transform_points(dst_from_src: Pose, points_src: Float[np.ndarray, 'n 3']) -> Float[np.ndarray, 'n 3']:
    """Moves points from src to dst coordinates.

    Args:
        dst_from_src: rigid transform.
        points_src: x, y, z in src.
    """
    return points_src @ dst_from_src[:3, :3].T + dst_from_src[:3, 3]
