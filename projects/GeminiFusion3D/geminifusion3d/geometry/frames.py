"""Rigid transforms as 4x4 matrices named `dst_from_src`, in float64: chains must cancel.

What makes or inverts a pose does so for one, or for many at once: batch dimensions go first.
"""
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

Pose = Float[np.ndarray, '4 4']
Poses = Float[np.ndarray, '*n 4 4']

# A quaternion whose squared length is this close to one is taken as it stands.
_UNIT_TOLERANCE = 1e-14


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
    """Turns q into the matrix of v -> q v q*, as a product of two 4x4 matrices.

    pyquaternion 0.9.9 does the same one by one, and gives the same to the last bit.

    Args:
        rotation_wxyz: (*n, 4), scalar first; made unit if not quite.
    """
    quat = np.asarray(rotation_wxyz, dtype=np.float64)
    squared = (quat[..., None, :] @ quat[..., :, None])[..., 0]
    length = np.where(np.abs(1 - squared) < _UNIT_TOLERANCE, 1, np.sqrt(squared))
    w, x, y, z = np.moveaxis(quat / length, -1, 0)
    q_times = np.stack([w, -x, -y, -z, x, w, -z, y, y, z, w, -x, z, -y, x, w], axis=-1)
    times_q = np.stack([w, -x, -y, -z, x, w, z, -y, y, -z, w, x, z, y, -x, w], axis=-1)
    shape = (*quat.shape[:-1], 4, 4)
    return (q_times.reshape(shape) @ np.swapaxes(times_q.reshape(shape), -1, -2))[..., 1:, 1:]


def invert_pose(dst_from_src: Poses) -> Poses:
    """Returns src_from_dst; exact for a rotation and a translation, no general inverse needed."""
    turned_back = -np.swapaxes(dst_from_src[..., :3, :3], -1, -2)
    src_from_dst = np.zeros(dst_from_src.shape)
    src_from_dst[..., :3, :3] = -turned_back
    src_from_dst[..., :3, 3:] = turned_back @ dst_from_src[..., :3, 3:]
    src_from_dst[..., 3, 3] = 1
    return src_from_dst


def transform_points(dst_from_src: Pose, points_src: Float[np.ndarray, 'n 3']
                     ) -> Float[np.ndarray, 'n 3']:
    """Moves points from src to dst coordinates."""
    return points_src @ dst_from_src[:3, :3].T + dst_from_src[:3, 3]
