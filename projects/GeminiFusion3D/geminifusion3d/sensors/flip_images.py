"""All images of a sample mirrored left and right, or none: a variant of test-time augmentation.

The delta to GeminiAugmentImages, which draws a flip for each image in training: fixed, and nothing else.
"""
from typing import Any, Dict

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GeminiFlipImages(BaseTransform):
    """Mirrors every `img` and composes `img_aug_matrix`; stands anywhere after loading.

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
