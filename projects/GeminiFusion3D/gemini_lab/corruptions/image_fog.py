"""Pictures in fog: uneven haze over all, then a grey veil that thickens away from the road ahead.

As in MultiCorrupt, `fog` of images. The delta: soft clouds (see `cloud_map`) in place of plasma fractals,
and lengths follow the picture's width.
"""
import numpy as np
from jaxtyping import Float, UInt8

from .cloud_map import cloud_map
from .strength import WHITE, at, px_per_published_px, to_uint8

HAZE = (2.0, 3.0, 4.0)
ATTENUATION, BACKSCATTER = 0.8, 0.5
VEIL_PER_PX = (0.0005, 0.001, 0.002)
VEIL_GREY = 0.5
# Rows and columns, as shares of the picture, that the veil leaves clearest.
CLEAR_ROWS, CLEAR_COLUMNS = (0.65, 0.99), (0.1, 0.85)


def fog_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture in fog.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: clouds and the veil's grain.
    """
    hazy = _haze(image.astype(np.float32) / WHITE, at(severity, HAZE), rng)
    left_over = np.exp(-at(severity, VEIL_PER_PX) * _veil_px(image, rng))[..., None]
    return to_uint8(hazy * left_over + VEIL_GREY * (1 - left_over))


def _haze(unit: Float[np.ndarray, 'h w 3'], strength: float, rng: np.random.Generator
          ) -> Float[np.ndarray, 'h w 3']:
    size_hw = unit.shape[:2]
    clouds = cloud_map(size_hw, rng)
    clouds = clouds * (1 - ATTENUATION * cloud_map(size_hw, rng))
    clouds = clouds * (1 + BACKSCATTER * cloud_map(size_hw, rng))
    brightest = float(unit.max())
    # A black picture stays black, as the published formula has it.
    return np.clip((unit + strength * clouds[..., None]) * brightest / (brightest + strength), 0.0, 1.0)


def _veil_px(image: UInt8[np.ndarray, 'h w 3'], rng: np.random.Generator) -> Float[np.ndarray, 'h w']:
    """Returns how much fog lies over each pixel, in published pixels: distance to the clear rectangle."""
    height, width = image.shape[:2]
    scale = px_per_published_px(image)
    rows, columns = (_outside(size, shares) / scale for size, shares in
                     ((height, CLEAR_ROWS), (width, CLEAR_COLUMNS)))
    distance_px = np.hypot(rows[:, None], columns[None])
    grain = 1 + rng.random((height, width), dtype=np.float32) / 4
    return 2 * distance_px * grain + (max(height, width) / scale) ** 0.5


def _outside(size: int, shares: tuple) -> Float[np.ndarray, ' n']:
    """Returns by how many pixels each row or column lies outside the clear ones."""
    index, (first, last) = np.arange(size), (int(size * share) for share in shares)
    return np.maximum(0, np.maximum(index - last, first - index)).astype(np.float32)
