"""What corruptions do to a picture: (H, W, 3) uint8 BGR, a severity and a generator in, the picture out.

"Theirs" is MultiCorrupt's; lengths in pixels follow the picture's width (see `px_per_published_px`).
"""
from dataclasses import dataclass
from typing import Tuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .strength import DROP_PROB, WHITE, at, px_per_published_px, to_uint8

ADDED_VALUE = (0.5, 0.6, 0.7)


def brighten(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
             ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture overexposed: HSV values rise, hue and saturation stay. As theirs, `brightness`."""
    hsv = cv2.cvtColor(image.astype(np.float32) / WHITE, cv2.COLOR_BGR2HSV)
    hsv[..., 2] = np.minimum(hsv[..., 2] + at(severity, ADDED_VALUE), 1.0)
    return to_uint8(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))


BRIGHTEST = (0.6, 0.4, 0.3)
GAMMA = 2.0
PHOTONS_OF_WHITE = (250.0, 120.0, 50.0)
SENSOR_NOISE_STD = (0.008, 0.018, 0.026)


def darken(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
           ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture as taken at night: a dark, steep tone curve, then noise of photons and sensor.

    As theirs, `dark`; the delta: a picture that was decoded at half its width gathers four pixels' light in
    each, so that its noise is what averaging the full picture's leaves.
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


BLACK_PROB = (0.2, 0.4, 0.6)


def lose_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
               ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns a black picture with the severity's probability, taken for real. As theirs, `missingcamera`."""
    return np.zeros_like(image) if rng.random() < at(severity, BLACK_PROB) else image


def directional_blur(picture: Float[np.ndarray, 'h w *c'], *, radius_px: int, sigma_px: float,
                     angle_deg: float, scale: float) -> Float[np.ndarray, 'h w *c']:
    """Returns the mean of the picture and its shifted copies, which fade like half a Gaussian.

    The border is continued.

    Args:
        picture: what to smear, of motion or of falling snow.
        radius_px: half the number of shifts, in published pixels.
        sigma_px: of the weights over the shifts 0, 1, 2, ..., in published pixels.
        angle_deg: direction of the smear in the picture.
        scale: pixels of this picture to a published one.
    """
    steps = np.arange(2 * radius_px + 1)
    weights = np.exp(-steps ** 2 / (2 * sigma_px ** 2))
    angle = np.deg2rad(angle_deg)
    columns = np.rint(steps * scale * np.cos(angle)).astype(int)
    rows = np.rint(steps * scale * np.sin(angle)).astype(int)
    reach = int(max(abs(columns).max(), abs(rows).max()))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    np.add.at(kernel, (reach + rows, reach + columns), weights / weights.sum())
    return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)


SIGMA_PX = (6.0, 10.0, 13.0)
RADIUS_PX = 15
ANGLE_RANGE_DEG = (-45.0, 45.0)


def blur_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
               ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture smeared along a random direction. As theirs, `motionblur` of images."""
    blurred = directional_blur(
        image.astype(np.float32), radius_px=RADIUS_PX, sigma_px=at(severity, SIGMA_PX),
        angle_deg=rng.uniform(*ANGLE_RANGE_DEG), scale=px_per_published_px(image))
    return to_uint8(blurred / WHITE)


# The original divides the noise's range and its factor by 1.7 each, octave after octave.
DECAY = 1.7 ** 2
WEAKEST = 1 / 512


def cloud_map(size_hw: Tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, 'h w']:
    """Draws a map of soft clouds, 0 to 1: rough in the large, smooth in the small.

    Stands for the plasma fractal of ImageNet-C's fog, which MultiCorrupt uses. The delta: each octave is
    enlarged bilinearly and noise of the next, weaker octave added, where the original moves the midpoints of
    squares and diamonds; octaves weaker than a grey level are left out. Clouds have the size that they have
    on the next larger power of two.
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


HAZE = (2.0, 3.0, 4.0)
ATTENUATION, BACKSCATTER = 0.8, 0.5
VEIL_PER_PX = (0.0005, 0.001, 0.002)
VEIL_GREY = 0.5
# Rows and columns, as shares of the picture, that the veil leaves clearest.
CLEAR_ROWS, CLEAR_COLUMNS = (0.65, 0.99), (0.1, 0.85)


def fog_image(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture in fog: uneven haze over all, then a veil that thickens away from the road ahead.

    As theirs, `fog` of images. The delta: soft clouds (see `cloud_map`) in place of plasma fractals.
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
    """Returns the picture in falling snow: whitened, a little dimmer, with streaks of flakes over it.

    As theirs, `snow` of images. The delta: flakes are drawn small and enlarged by OpenCV.
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


COVERED_SHARE = (0.1, 0.25, 0.5)
MUD_BGR = np.array([30.0, 45.0, 60.0], dtype=np.float32) / WHITE
# Noise of these cells, one upon the other: splashes, and their ragged edges.
CELLS_HW, STRENGTHS = ((9, 16), (36, 64)), (1.0, 0.25)
# From clear to opaque, in standard deviations of the noise; the edge of a splash is half through.
EDGE = 0.3


def soil_lens(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture behind mud, which is opaque by at least half over the severity's share.

    Stands for "Occlusion of Camera Lens" of nuScenes-R, which blends one of 16 photographed masks over each
    picture. The delta: splashes are drawn, so that strengths are known and agree with the original in kind
    only.
    """
    mud = _splashes(image, rng)
    clear = np.quantile(mud, 1 - at(severity, COVERED_SHARE))
    opacity = np.clip((mud - clear) / EDGE + 0.5, 0.0, 1.0)[..., None]
    return to_uint8(image.astype(np.float32) / WHITE * (1 - opacity) + MUD_BGR * opacity)


def _splashes(image: UInt8[np.ndarray, 'h w 3'], rng: np.random.Generator) -> Float[np.ndarray, 'h w']:
    """Returns smooth noise, the same for a picture of half the size."""
    return sum(strength * cv2.resize(rng.standard_normal(cells_hw).astype(np.float32), image.shape[1::-1],
                                     interpolation=cv2.INTER_CUBIC)
               for cells_hw, strength in zip(CELLS_HW, STRENGTHS))


def drop_view(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns a black picture with the severity's probability; "View Drop" of MoME, see `DROP_PROB`."""
    return np.zeros_like(image) if rng.random() < at(severity, DROP_PROB) else image
