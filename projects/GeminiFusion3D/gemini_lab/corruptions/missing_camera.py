"""Cameras that deliver black pictures. As in MultiCorrupt, `missingcamera`: the model takes them for real."""
import numpy as np
from jaxtyping import UInt8

from .strength import at

LOSS_PROB = (0.2, 0.4, 0.6)


def lose_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
               ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns a black picture with the severity's probability, else the picture.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    return np.zeros_like(image) if rng.random() < at(severity, LOSS_PROB) else image
