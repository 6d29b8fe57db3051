"""Overexposed pictures: every pixel's HSV value is raised. As in MultiCorrupt, `brightness`."""
import cv2
import numpy as np
from jaxtyping import UInt8

from .strength import WHITE, at, to_uint8

ADDED_VALUE = (0.5, 0.6, 0.7)


def brighten(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
             ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture with its value channel raised; hue and saturation stay.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: not drawn from.
    """
    hsv = cv2.cvtColor(image.astype(np.float32) / WHITE, cv2.COLOR_BGR2HSV)
    hsv[..., 2] = np.minimum(hsv[..., 2] + at(severity, ADDED_VALUE), 1.0)
    return to_uint8(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))
