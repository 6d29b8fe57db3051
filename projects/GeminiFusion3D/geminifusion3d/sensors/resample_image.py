"""Pictures resampled to another grid of pixels: what turns by one warp, what does not by one resize.

Bytes stay bytes, and only what the result shows is computed. Integer coordinates are pixel centres.
"""
from math import gcd
from typing import Tuple

import cv2
import numpy as np
from PIL import Image

from .load_images import resize_matrix

# From here on bicubic interpolation comes closer to an antialiased picture than averaged areas do.
CUBIC_FROM_SCALE = 0.7
# How far bicubic interpolation looks, and one more.
REACH_PX = 3


def warp(image: np.ndarray, warped_from_input: np.ndarray, final_hw: Tuple[int, int]) -> np.ndarray:
    """Applies an affine map in one bilinear interpolation; black where there is no image.

    Args:
        image: (H, W, 3).
        warped_from_input: (4, 4), acting on (u, v, 1-or-depth, 1).
        final_hw: size of the result.
    """
    scale = np.sqrt(abs(np.linalg.det(warped_from_input[:2, :2])))
    # Interpolation looks at 2 x 2 pixels: where more of them meet in one, they are averaged before.
    times = int(1 / scale)
    if times > 1:
        whole = image[:image.shape[0] // times * times, :image.shape[1] // times * times]
        image = cv2.resize(whole, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_AREA)
        warped_from_input = warped_from_input @ np.linalg.inv(resize_matrix(1 / times, 1 / times))
    return cv2.warpAffine(image, warped_from_input[:2, [0, 1, 3]], final_hw[::-1], flags=cv2.INTER_LINEAR)


def resize_and_crop(image: np.ndarray, size_hw: Tuple[int, int], crop_xy: Tuple[int, int],
                    final_hw: Tuple[int, int]) -> np.ndarray:
    """Resizes an image and cuts a part out of it; black where there is no image.

    Args:
        image: (H, W, 3).
        size_hw: size of the whole image after resizing.
        crop_xy: corner of the part in the resized image; may be negative.
        final_hw: size of the part.
    """
    (x, y), (height, width) = crop_xy, final_hw
    rows, top = _window(y, y + height, size_hw[0], image.shape[0])
    columns, left = _window(x, x + width, size_hw[1], image.shape[1])
    resized_hw = (_scaled(rows, size_hw[0], image.shape[0]), _scaled(columns, size_hw[1], image.shape[1]))
    if min(resized_hw) == 0:
        return np.zeros((height, width, 3), image.dtype)
    is_shrunk = size_hw[1] < CUBIC_FROM_SCALE * image.shape[1]
    resized = cv2.resize(image[rows, columns], resized_hw[::-1],
                         interpolation=cv2.INTER_AREA if is_shrunk else cv2.INTER_CUBIC)
    return _crop(resized, (x - left, y - top), final_hw)


def resize_and_crop_as_pillow(image: np.ndarray, size_hw: Tuple[int, int], crop_xy: Tuple[int, int],
                              final_hw: Tuple[int, int]) -> np.ndarray:
    """Does what `resize_and_crop` does, with the bytes that Pillow's antialiased bicubic filter gives.

    Published weights learned them; several times slower.

    Args:
        image: (H, W, 3), uint8.
        size_hw: size of the whole image after resizing.
        crop_xy: corner of the part in the resized image; may be negative.
        final_hw: size of the part.
    """
    resized = Image.fromarray(image).resize(size_hw[::-1], Image.Resampling.BICUBIC)
    return _crop(np.asarray(resized), crop_xy, final_hw)


def _window(begin: int, end: int, resized: int, source: int) -> Tuple[slice, int]:
    """Returns which source pixels of one axis suffice for [begin, end), and the first's resized place.

    Both ends are whole pixels in the source and in the resized image, which keeps scale and phase.
    """
    step = resized // gcd(resized, source)
    first = max(0, begin - REACH_PX) // step * step
    last = min(resized, -(-max(0, end + REACH_PX) // step) * step)
    return slice(first * source // resized, max(first, last) * source // resized), first


def _scaled(window: slice, resized: int, source: int) -> int:
    return (window.stop - window.start) * resized // source


def _crop(image: np.ndarray, crop_xy: Tuple[int, int], final_hw: Tuple[int, int]) -> np.ndarray:
    (x, y), (height, width) = crop_xy, final_hw
    part = image[max(0, y):max(0, y + height), max(0, x):max(0, x + width)]
    if part.shape[:2] == (height, width):
        return part
    cropped = np.zeros((height, width, 3), image.dtype)
    top, left = max(0, -y), max(0, -x)
    cropped[top:top + part.shape[0], left:left + part.shape[1]] = part
    return cropped
