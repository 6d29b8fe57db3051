"""A LiDAR that loses 70, 80 or 90 % of its returns. As in MultiCorrupt, `pointsreducing`."""
import numpy as np
from jaxtyping import Float

from .strength import at

KEPT = (0.3, 0.2, 0.1)


def reduce_points(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                  ) -> Float[np.ndarray, 'm 5']:
    """Returns a random part of the points, in their order.

    Args:
        cloud: x, y, z, intensity, ring of one sweep.
        severity: 1, 2 or 3.
        rng: which points.
    """
    kept = rng.permutation(len(cloud))[:round(len(cloud) * at(severity, KEPT))]
    return cloud[np.sort(kept)]
