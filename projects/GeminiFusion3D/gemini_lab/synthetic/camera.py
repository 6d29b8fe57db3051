"""Pinhole cameras: rays at half the image size, shaded, enlarged, with sensor grain, as JPEG.

Geometry is exact to about a pixel: a ray passes through the middle of each 2x2 block of pixels.
"""
from functools import lru_cache
from typing import Tuple

import cv2
import numpy as np

from .rig import IMAGE_SIZE
from .seeding import make_rng
from .shading import Look, shade
from .world import Moment

_STEP = 2
JPEG_OPTIONS = (cv2.IMWRITE_JPEG_QUALITY, 88)


def pixel_rays(intrinsic: np.ndarray, size_wh: Tuple[int, int] = IMAGE_SIZE) -> np.ndarray:
    """Returns unit directions (rows * columns, 3) in camera axes: x right, y down, z ahead; even sizes
    only."""
    columns = np.arange(size_wh[0] // _STEP) * _STEP + (_STEP - 1) / 2
    rows = np.arange(size_wh[1] // _STEP) * _STEP + (_STEP - 1) / 2
    x, y = np.meshgrid((columns - intrinsic[0, 2]) / intrinsic[0, 0],
                       (rows - intrinsic[1, 2]) / intrinsic[1, 1])
    directions = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
    return (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    """Returns one fixed field of sensor noise, larger than an image; each image takes a cut."""
    rng = make_rng(0, 'camera grain')
    return rng.standard_normal((IMAGE_SIZE[1] + 64, IMAGE_SIZE[0] + 64), dtype=np.float32)


def take_picture(look: Look, moment: Moment, local_from_cam: np.ndarray, rays: np.ndarray,
                 heading: np.ndarray, rng: np.random.Generator, size_wh: Tuple[int, int] = IMAGE_SIZE
                 ) -> np.ndarray:
    """Returns one image (H, W, 3) uint8 in OpenCV's BGR order.

    Args:
        look: materials, ground and weather.
        moment: the scene at the image's time.
        local_from_cam: camera pose (4, 4) in the world's local frame.
        rays: what `pixel_rays` gives for this camera.
        heading: the car's forward direction (3,).
        rng: grain and exposure of this image.
        size_wh: of the image, that of the rays.
    """
    directions = rays @ local_from_cam[:3, :3].T.astype(np.float32)
    colors = shade(look, moment, local_from_cam[:3, 3].astype(np.float32), directions,
                   heading.astype(np.float32))
    small = colors.reshape(size_wh[1] // _STEP, size_wh[0] // _STEP, 3)
    image = cv2.resize(small, size_wh, interpolation=cv2.INTER_LINEAR)
    down, right = (int(value) for value in rng.integers(0, 64, 2))
    grain = _grain()[down:down + size_wh[1], right:right + size_wh[0], None]
    image = image * np.float32(255 * rng.uniform(0.95, 1.05))
    image += grain * np.float32(255 * look.weather.grain)
    return np.ascontiguousarray(image.clip(0, 255).astype(np.uint8)[..., ::-1])
