"""A LiDAR that sits elsewhere than its calibration says: 2 m off and turned about all three axes.

As in MultiCorrupt, `spatialmisalignment`: a share of the sweeps is moved, while calibration and ground
truth stay, so that the extrinsics which the model uses are wrong for these sweeps.
"""
import numpy as np
from jaxtyping import Float

from .strength import at

MOVED_PROB = (0.2, 0.4, 0.6)
TURN_DEG = (1.0, 2.0, 3.0)
SHIFT_M = (2.0, 0.0, 0.0)


def misplace_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                   ) -> Float[np.ndarray, 'n 5']:
    """Returns the sweep turned and shifted with the severity's probability, else as it is.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    if rng.random() >= at(severity, MOVED_PROB):
        return cloud
    moved = cloud.copy()
    moved[:, :3] = cloud[:, :3] @ turn(at(severity, TURN_DEG)).T + SHIFT_M
    return moved


def turn(angle_deg: float) -> Float[np.ndarray, '3 3']:
    """Returns the rotation by -angle about z, then y, then x.

    Args:
        angle_deg: of each of the three.
    """
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    about_x = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    about_y = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    about_z = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z
