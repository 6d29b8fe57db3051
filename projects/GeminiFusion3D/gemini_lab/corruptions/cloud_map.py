"""A random map of soft clouds, 0 to 1: rough in the large, smooth in the small.

Stands for the plasma fractal of ImageNet-C's fog, which MultiCorrupt uses. The delta: each octave is
enlarged bilinearly and noise of the next, weaker octave added, where the original moves the midpoints of
squares and diamonds; octaves weaker than a grey level are left out.
"""
from typing import Tuple

import cv2
import numpy as np
from jaxtyping import Float

# The original divides the noise's range and its factor by 1.7 each, octave after octave.
DECAY = 1.7 ** 2
WEAKEST = 1 / 512


def cloud_map(size_hw: Tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, 'h w']:
    """Draws a map.

    Args:
        size_hw: its size; clouds have the size that they have on the next larger power of two.
        rng: all that is random.
    """
    side = 1 << (max(size_hw) - 1).bit_length()
    heights = np.zeros((1, 1), dtype=np.float32)
    strength = 1.0
    while len(heights) < side and strength > WEAKEST:
        size = 2 * len(heights)
        heights = cv2.resize(heights, (size, size), interpolation=cv2.INTER_LINEAR)
        heights = heights + strength * rng.uniform(-1, 1, (size, size)).astype(np.float32)
        strength /= DECAY
    heights = cv2.resize(heights, (side, side), interpolation=cv2.INTER_LINEAR)
    heights = heights - heights.min()
    return (heights / max(float(heights.max()), WEAKEST))[:size_hw[0], :size_hw[1]]
