"""Pictures through a dirty lens: patches of mud over a tenth, a quarter or half of them.

Stands for "Occlusion of Camera Lens" of nuScenes-R (see `limited_view`), which blends one of 16 photographed
masks over each picture. The delta: the masks are drawn (see `cloud_map`), so that strengths are known and
agree with the original in kind only.
"""
import numpy as np
from jaxtyping import UInt8

from .cloud_map import cloud_map
from .strength import WHITE, at, to_uint8

COVERED_SHARE = (0.1, 0.25, 0.5)
MUD_BGR = np.array([30.0, 45.0, 60.0], dtype=np.float32) / WHITE
# From clear to opaque, of the clouds' 0 to 1; a patch's edge is half through.
EDGE = 0.03


def soil_lens(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns the picture behind mud, which is opaque by at least half over the severity's share.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: where the mud is.
    """
    clouds = cloud_map(image.shape[:2], rng)
    clear = np.quantile(clouds, 1 - at(severity, COVERED_SHARE))
    opacity = np.clip((clouds - clear) / EDGE + 0.5, 0.0, 1.0)[..., None]
    return to_uint8(image.astype(np.float32) / WHITE * (1 - opacity) + MUD_BGR * opacity)
