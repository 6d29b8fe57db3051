"""A shaken LiDAR: a sweep is shifted as a whole, then every point jitters.

As in MultiCorrupt, `motionblur` of LiDAR, sweep by sweep.
"""
import numpy as np
from jaxtyping import Float

from .strength import at

SHIFT_STD_M = (0.06, 0.1, 0.13)
# Of x, y and z, as shares of the shift's standard deviation.
JITTER_SHARES = (0.15, 0.2, 0.12)
MAX_JITTER_STDS = 3.0


def shake_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                ) -> Float[np.ndarray, 'n 5']:
    """Returns the moved points.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame.
        severity: 1, 2 or 3.
        rng: shift and jitter.
    """
    std_m = at(severity, SHIFT_STD_M)
    shift_m = rng.standard_normal(3) * std_m
    jitter_m = rng.standard_normal((len(cloud), 3)) * np.multiply(JITTER_SHARES, std_m)
    limit_m = MAX_JITTER_STDS * std_m
    moved = cloud.copy()
    moved[:, :3] += shift_m + np.clip(jitter_m, -limit_m, limit_m)
    return moved
