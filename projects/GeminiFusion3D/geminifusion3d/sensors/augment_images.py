"""Image augmentation: resize, crop, flip, rotate, with the matrix that says where each pixel went.

Same family as BEVFusion's ImageAug3D (mmdet3d v1.4.0,
projects/BEVFusion/bevfusion/transforms_3d.py); the delta: integer coordinates are pixel centres
throughout, pictures stay bytes, what turns is interpolated once and not by the nearest pixel, inputs
are not mutated. Only what the result shows is computed.
"""
from dataclasses import dataclass
from math import gcd
from typing import Any, Dict, Optional, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from PIL import Image

from ..errors import check_choice
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


RESAMPLE = {'area': resize_and_crop, 'pillow': resize_and_crop_as_pillow}


@dataclass(frozen=True)
class ImageAugmentation:
    """What happens to one image, in this order.

    Attributes:
        size_hw: size after resizing, in pixels.
        crop_xy: raw corner of the crop in the resized image; may be negative, the outside is
            black.
        is_flipped: mirror left and right.
        rotate_deg: turn about the crop's centre, counter-clockwise as seen.
    """

    size_hw: Tuple[int, int]
    crop_xy: Tuple[int, int]
    is_flipped: bool
    rotate_deg: float


@TRANSFORMS.register_module()
class GeminiAugmentImages(BaseTransform):
    """Brings all images to one size; in training each gets its own resize, crop, flip and turn.

    Changes `img` and composes `img_aug_matrix` (augmented_from_raw_px); sets `img_shape`.

    Args:
        final_hw: size of the output in pixels.
        resize_range: factor between the raw image and the resized one; outside training its middle
            is taken.
        crop_bottom_range: part of the resized height, beyond the crop, that is cut off below; the
            rest is cut off above; outside training its middle is taken.
        rotate_range_deg: range of the rotation; outside training its middle is taken.
        flip: flip every second image on average.
        training: draw at random.
        reference_width: of the pictures that `resize_range` is meant for, where cameras differ: others
            are resized as if they had been brought to this width first; None: each as it is.
        resample: 'area' averages areas, 'pillow' gives the bytes of Pillow's bicubic filter, which mmdet3d's
            ImageAug3D uses; what turns is always interpolated once.

    Raises:
        ValueError: if an argument is none of these.
    """

    def __init__(self, *, final_hw: Tuple[int, int], resize_range: Tuple[float, float],
                 crop_bottom_range: Tuple[float, float] = (0.0, 0.0),
                 rotate_range_deg: Tuple[float, float] = (0.0, 0.0), flip: bool = False,
                 training: bool = False,
                 reference_width: Optional[int] = None, resample: str = 'area') -> None:
        check_choice('resample', resample, RESAMPLE)
        if min(resize_range) <= 0 or resize_range[0] > resize_range[1]:
            raise ValueError(f'got resize_range={resize_range}; expected 0 < low <= high')
        self.final_hw = tuple(final_hw)
        self.resize_range = resize_range
        self.crop_bottom_range = crop_bottom_range
        self.rotate_range_deg = rotate_range_deg
        self.flip = flip
        self.training = training
        self.reference_width = reference_width
        self.resample = resample

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Augments the images.

        Args:
            results: holds `img`, `img_aug_matrix` and `ori_shapes`, as GeminiLoadImages sets them.
        """
        images, matrices = [], []
        for image, loaded_from_raw, raw_hw in zip(results['img'], results['img_aug_matrix'],
                                                  results['ori_shapes']):
            augmentation = self._draw(raw_hw)
            image, augmented_from_loaded = augment_image(image, augmentation, self.final_hw, self.resample)
            images.append(image)
            matrices.append(augmented_from_loaded @ loaded_from_raw)
        return {**results, 'img': images, 'img_aug_matrix': np.stack(matrices).astype(np.float32),
                'img_shape': self.final_hw}

    def _draw(self, raw_hw: Tuple[int, int]) -> ImageAugmentation:
        """Draws one image's augmentation; outside training the middle of every range."""
        draw = np.random.uniform if self.training else _middle
        scale = draw(*self.resize_range) * (self.reference_width or raw_hw[1]) / raw_hw[1]
        height, width = round(raw_hw[0] * scale), round(raw_hw[1] * scale)
        final_h, final_w = self.final_hw
        crop_y = int((1 - draw(*self.crop_bottom_range)) * height) - final_h
        crop_x = int(draw(0, 1) * max(0, width - final_w))
        is_flipped = self.training and self.flip and np.random.uniform() < 0.5
        rotate_deg = draw(*self.rotate_range_deg)
        return ImageAugmentation((height, width), (crop_x, crop_y), is_flipped, rotate_deg)


def augment_image(image: np.ndarray, augmentation: ImageAugmentation,
                  final_hw: Tuple[int, int], resample: str = 'area') -> Tuple[np.ndarray, np.ndarray]:
    """Applies one augmentation.

    Args:
        image: (H, W, 3).
        augmentation: what to do.
        final_hw: size of the result.
        resample: one of RESAMPLE.

    Returns:
        The (final_h, final_w, 3) image and augmented_from_input_px (4, 4).
    """
    height, width = augmentation.size_hw
    resized_from_input = resize_matrix(width / image.shape[1], height / image.shape[0]).astype(np.float64)
    augmented_from_input = _crop_flip_rotate(augmentation, final_hw) @ resized_from_input
    if augmentation.rotate_deg:
        return warp(image, augmented_from_input, final_hw), augmented_from_input
    image = RESAMPLE[resample](image, augmentation.size_hw, augmentation.crop_xy, final_hw)
    return cv2.flip(image, 1) if augmentation.is_flipped else image, augmented_from_input


def _crop_flip_rotate(augmentation: ImageAugmentation, final_hw: Tuple[int, int]) -> np.ndarray:
    center_y, center_x = (final_hw[0] - 1) / 2, (final_hw[1] - 1) / 2
    centered_from_resized = np.eye(4)
    crop_x, crop_y = augmentation.crop_xy
    centered_from_resized[:2, 3] = -crop_x - center_x, -crop_y - center_y
    flip = np.diag([-1.0 if augmentation.is_flipped else 1.0, 1.0, 1.0, 1.0])
    angle = np.deg2rad(augmentation.rotate_deg)
    augmented_from_centered = np.eye(4)
    # v points down, so a counter-clockwise turn as seen is clockwise in (u, v).
    cos, sin = np.cos(angle), np.sin(angle)
    augmented_from_centered[:2, :2] = [[cos, sin], [-sin, cos]]
    augmented_from_centered[:2, 3] = center_x, center_y
    return augmented_from_centered @ flip @ centered_from_resized


def _middle(low: float, high: float) -> float:
    return (low + high) / 2


@TRANSFORMS.register_module()
class GeminiFlipImages(BaseTransform):
    """Mirrors every `img` and composes `img_aug_matrix`; stands anywhere after loading.

    A variant of test-time augmentation; GeminiAugmentImages draws a flip for each image in training.

    Args:
        flip: mirror; False leaves the sample as it is.
    """

    def __init__(self, *, flip: bool) -> None:
        self.flip = flip

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Mirrors the images.

        Args:
            results: holds `img` and `img_aug_matrix` where the recipe reads cameras.
        """
        if not self.flip or 'img' not in results:
            return results
        images = [cv2.flip(image, 1) for image in results['img']]
        matrices = [mirror_matrix(image.shape[1]) @ matrix
                    for image, matrix in zip(images, results['img_aug_matrix'])]
        return {**results, 'img': images, 'img_aug_matrix': np.stack(matrices).astype(np.float32)}


def mirror_matrix(width_px: int) -> np.ndarray:
    """Returns mirrored_from_px (4, 4) for pixel centres at integer coordinates."""
    matrix = np.eye(4)
    matrix[0, 0], matrix[0, 3] = -1.0, width_px - 1.0
    return matrix
