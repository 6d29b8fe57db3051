"""Cameras that stand elsewhere than their calibration says: turned and shifted by a known amount.

As in nuScenes-R (see `limited_view`), "Spatial misalignment": its extrinsics are off by nominally 1 to 5
degrees (its code halves them) and 0.5 to 1 cm along each axis, each camera on its own. The delta: strengths
are fixed instead of drawn, only directions are random, and a camera turns about its own centre instead of
the car's.
"""
from typing import Any, Dict

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from .strength import at

TURN_DEG = (1.0, 3.0, 5.0)
SHIFT_M = (0.01, 0.05, 0.1)


def disturb_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with a wrong `lidar2cam` of every camera; pictures, points and truth stay.

    Args:
        results: a record with `images`.
        severity: 1, 2 or 3.
        rng: an axis and a direction for each camera.
    """
    turn_rad, shift_m = np.deg2rad(at(severity, TURN_DEG)), at(severity, SHIFT_M)
    images = {}
    for name, image in results['images'].items():
        error = pose_error(turn_rad, shift_m, rng)
        known = image.get('lidar2cam')
        images[name] = image if known is None else {**image, 'lidar2cam': error @ np.asarray(known)}
    return {**results, 'images': images}


def pose_error(turn_rad: float, shift_m: float, rng: np.random.Generator) -> Float[np.ndarray, '4 4']:
    """Returns wrong_cam_from_cam: a turn by this angle and a shift of this length, in random directions.

    Args:
        turn_rad: about an axis through the camera's centre.
        shift_m: of the centre.
        rng: directions, all equally likely.
    """
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
    error = np.eye(4)
    error[:3, :3] = Rotation.from_rotvec(turn_rad * axis).as_matrix()
    error[:3, 3] = shift_m * direction
    return error
