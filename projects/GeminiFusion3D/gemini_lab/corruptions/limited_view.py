"""A LiDAR that sees the front alone: returns beside and behind are gone.

As in nuScenes-R (Yu et al., arXiv 2205.14951, github.com/kcyu2014/lidar-camera-robust-benchmark at a8d78bf),
"Limited LiDAR FOV", which has +-90 and +-60 degrees; the delta: each sweep is cut in its own frame.
"""
import numpy as np
from jaxtyping import Float

from .strength import at

HALF_VIEW_DEG = (120.0, 90.0, 60.0)


def limit_view(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns the points whose azimuth is within +-120, +-90 or +-60 degrees of straight ahead.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame, whose y axis points ahead.
        severity: 1, 2 or 3.
        rng: not drawn from.
    """
    azimuth_deg = np.rad2deg(np.arctan2(cloud[:, 0], cloud[:, 1]))
    return cloud[np.abs(azimuth_deg) <= at(severity, HALF_VIEW_DEG)]
