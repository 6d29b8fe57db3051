"""Pictures in falling snow: whitened, a little dimmer, with streaks of flakes over them.

As in MultiCorrupt, `snow` of images. The delta: flakes are drawn small and enlarged by OpenCV, and lengths
follow the picture's width.
"""
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .directional_blur import directional_blur
from .strength import WHITE, at, px_per_published_px, to_uint8

FLAKE_STD = 0.3
DIMMED = 0.9
FALL_RANGE_DEG = (-135.0, -45.0)


@dataclass(frozen=True)
class Snowfall:
    """Parameters of one severity.

    Attributes:
        mean: of the normal noise that flakes are cut from.
        flake_px: how much that noise is enlarged.
        threshold: noise below is no flake.
        streak_px: radius and sigma of the flakes' smear.
        kept: share of the picture that is not whitened.
    """

    mean: float
    flake_px: float
    threshold: float
    streak_px: int
    kept: float


SNOWFALLS = (Snowfall(0.3, 5, 0.9, 7, 0.9), Snowfall(0.4, 4, 0.85, 8, 0.85), Snowfall(0.5, 3, 0.8, 10, 0.8))


def snow_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
               ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture in snow.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: flakes and the direction of their fall.
    """
    snowfall = at(severity, SNOWFALLS)
    unit = image.astype(np.float32) / WHITE
    grey = cv2.cvtColor(unit, cv2.COLOR_BGR2GRAY)[..., None]
    whitened = snowfall.kept * unit + (1 - snowfall.kept) * np.maximum(unit, 1.5 * grey + 0.5)
    flakes = _flakes(image, snowfall, rng)[..., None]
    return to_uint8(DIMMED * whitened + flakes + np.rot90(flakes, k=2))


def _flakes(image: UInt8[np.ndarray, 'h w 3'], snowfall: Snowfall, rng: np.random.Generator
            ) -> Float[np.ndarray, 'h w']:
    height, width = image.shape[:2]
    scale = px_per_published_px(image)
    flake_px = max(snowfall.flake_px * scale, 1.0)
    coarse_hw = (int(np.ceil(height / flake_px)), int(np.ceil(width / flake_px)))
    noise = rng.normal(snowfall.mean, FLAKE_STD, coarse_hw).astype(np.float32)
    layer = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    layer = np.clip(np.where(layer < snowfall.threshold, 0.0, layer), 0.0, 1.0).astype(np.float32)
    return directional_blur(layer, radius_px=snowfall.streak_px, sigma_px=snowfall.streak_px,
                            angle_deg=rng.uniform(*FALL_RANGE_DEG), scale=scale)
