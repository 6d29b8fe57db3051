"""Pictures smeared along a random direction. As in MultiCorrupt, `motionblur` of images.

The delta: lengths follow the picture's width (see `strength.PUBLISHED_WIDTH_PX`).
"""
import numpy as np
from jaxtyping import UInt8

from .directional_blur import directional_blur
from .strength import WHITE, at, px_per_published_px, to_uint8

SIGMA_PX = (6.0, 10.0, 13.0)
RADIUS_PX = 15
ANGLE_RANGE_DEG = (-45.0, 45.0)


def blur_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
               ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the smeared picture.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: the direction.
    """
    blurred = directional_blur(
        image.astype(np.float32), radius_px=RADIUS_PX, sigma_px=at(severity, SIGMA_PX),
        angle_deg=rng.uniform(*ANGLE_RANGE_DEG), scale=px_per_published_px(image))
    return to_uint8(blurred / WHITE)
