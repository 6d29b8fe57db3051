"""Pictures through a dirty lens: splashes of mud over a tenth, a quarter or half of them.

Stands for "Occlusion of Camera Lens" of nuScenes-R (see `limited_view`), which blends one of 16 photographed
masks over each picture. The delta: splashes are drawn, so that strengths are known and agree with the
original in kind only.
"""
import cv2
import numpy as np
from jaxtyping import Float, UInt8

from .strength import WHITE, at, to_uint8

COVERED_SHARE = (0.1, 0.25, 0.5)
MUD_BGR = np.array([30.0, 45.0, 60.0], dtype=np.float32) / WHITE
# Noise of these cells, one upon the other: splashes, and their ragged edges.
CELLS_HW, STRENGTHS = ((9, 16), (36, 64)), (1.0, 0.25)
# From clear to opaque, in standard deviations of the noise; the edge of a splash is half through.
EDGE = 0.3


def soil_lens(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture behind mud, which is opaque by at least half over the severity's share.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: where the mud is.
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
