"""Pictures at night: a dark, steep tone curve, then the noise of few photons and of the sensor.

As in MultiCorrupt, `dark`; the delta: a picture that was decoded at half its width gathers four pixels'
light in each, so that its noise is what averaging the full picture's leaves.
"""
import numpy as np
from jaxtyping import UInt8

from .strength import WHITE, at, px_per_published_px, to_uint8

BRIGHTEST = (0.6, 0.4, 0.3)
GAMMA = 2.0
PHOTONS_OF_WHITE = (250.0, 120.0, 50.0)
SENSOR_NOISE_STD = (0.008, 0.018, 0.026)


def darken(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
           ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture as taken with little light.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: noise.
    """
    scale = px_per_published_px(image)
    unit = image.astype(np.float32) / WHITE
    darkest, brightest = float(unit.min()), float(unit.max())
    # A picture of one colour has no contrast to stretch; it turns black, as its darkest part would.
    contrast = max(brightest - darkest, 1 / WHITE)
    dark = ((unit - darkest) / contrast) ** GAMMA * at(severity, BRIGHTEST)
    photons = at(severity, PHOTONS_OF_WHITE) / scale ** 2
    seen = np.clip(rng.poisson(dark * photons) / photons, 0.0, 1.0)
    noise = rng.standard_normal(seen.shape, dtype=np.float32) * (at(severity, SENSOR_NOISE_STD) * scale)
    return to_uint8(seen + noise)
