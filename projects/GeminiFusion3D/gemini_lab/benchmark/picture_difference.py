"""How far the pictures that a pipeline loads are from antialiased ones of the whole files.

The reference: the whole picture, turned and shrunk as `img_aug_matrix` says, on a grid four times as fine
by Lanczos interpolation, then made smaller by Pillow's antialiased bicubic filter.
"""
import math
from typing import Any, Dict, List, Mapping, Sequence

import cv2
import numpy as np
from mmdet3d.registry import TRANSFORMS
from PIL import Image

from geminifusion3d.sensors.load_images import resize_matrix
from geminifusion3d.sensors.seeding import seeded_generators

FINER = 4
# Pixels this near to the outside of the raw picture are not compared.
MARGIN_PX = 4
WHITE = 255.0
LOAD, AUGMENT = 'GeminiLoadImages', 'GeminiAugmentImages'


def picture_difference(info: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Dict[str, float]:
    """Returns what reduced decoding and resampling cost, over all cameras of one keyframe.

    Args:
        info: the record of the keyframe.
        steps: the pipeline, of which the loader and the augmentation of pictures are run.

    Returns:
        `mean_difference` in grey levels of 255, and `psnr_db`.
    """
    made = load_pictures(info, steps)
    whole = TRANSFORMS.build(dict(type=LOAD, camera_names=made['cam_names']))(dict(info))['img']
    differences = [compared(picture, reference_picture(raw, matrix, picture.shape[:2]), is_inside)
                   for picture, raw, matrix in zip(made['img'], whole, made['img_aug_matrix'])
                   for is_inside in [inside(raw.shape[:2], matrix, picture.shape[:2])]]
    difference = np.concatenate(differences)
    mean_square = float(np.square(difference).mean())
    return {'mean_difference': float(np.abs(difference).mean()),
            'psnr_db': 10 * math.log10(WHITE ** 2 / mean_square) if mean_square else math.inf}


def load_pictures(info: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """Runs those steps of a pipeline that load and augment pictures, always with the same draws."""
    results = dict(info)
    with seeded_generators((0,)):
        for step in steps:
            if step['type'] in (LOAD, AUGMENT):
                results = TRANSFORMS.build(step)(results)
    return results


def with_whole_pictures(steps: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Returns the pipeline with pictures decoded at their full size."""
    return [{**step, 'reduce': 1} if step['type'] == LOAD else dict(step) for step in steps]


def reference_picture(raw: np.ndarray, augmented_from_raw: np.ndarray, final_hw: Sequence[int]
                      ) -> np.ndarray:
    """Returns the antialiased picture (final_h, final_w, 3).

    Args:
        raw: the whole picture (H, W, 3).
        augmented_from_raw: (4, 4), in pixels.
        final_hw: size of the result.
    """
    height, width = final_hw
    finer_from_raw = resize_matrix(FINER, FINER).astype(np.float64) @ augmented_from_raw
    finer = cv2.warpAffine(raw, finer_from_raw[:2, [0, 1, 3]], (width * FINER, height * FINER),
                           flags=cv2.INTER_LANCZOS4)
    return np.asarray(Image.fromarray(finer).resize((width, height), Image.BICUBIC))


def inside(raw_hw: Sequence[int], augmented_from_raw: np.ndarray, final_hw: Sequence[int]) -> np.ndarray:
    """Returns which pixels (final_h, final_w) show the raw picture and nothing of its outside."""
    white = np.full(tuple(raw_hw), 255, np.uint8)
    shown = cv2.warpAffine(white, augmented_from_raw[:2, [0, 1, 3]].astype(np.float64), tuple(final_hw[::-1]))
    kernel = np.ones((2 * MARGIN_PX + 1,) * 2, np.uint8)
    return cv2.erode((shown == 255).astype(np.uint8), kernel, borderValue=1) > 0


def compared(picture: np.ndarray, reference: np.ndarray, is_inside: np.ndarray) -> np.ndarray:
    """Returns the differences of all compared pixels and colours."""
    return (picture[is_inside].astype(np.float64) - reference[is_inside]).ravel()
