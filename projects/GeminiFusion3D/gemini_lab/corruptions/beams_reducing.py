"""A LiDAR of fewer beams: 16, 8 or 4 of the 32. As in MultiCorrupt, `beamsreducing`."""
import numpy as np
from jaxtyping import Float

from .strength import at

RING = 4
FIRST_BEAM = 1
BEAM_STEP = (2, 4, 8)


def reduce_beams(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                 ) -> Float[np.ndarray, 'm 5']:
    """Returns the points of every second, fourth or eighth beam.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame.
        severity: 1, 2 or 3.
        rng: not drawn from.
    """
    return cloud[cloud[:, RING] % at(severity, BEAM_STEP) == FIRST_BEAM]
