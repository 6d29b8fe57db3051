"""Camera images from their files, with the matrices that place them in space.

A camera whose file cannot be read is an error, or, on request, a missing sensor: a black picture
that `camera_present` tells of.

Pixel convention of this folder: integer coordinates are pixel centres. `img_aug_matrix` is
`augmented_from_raw_px` (4x4, acting on (u, v, 1-or-depth, 1)): resizing by s maps u to s*(u + 0.5)
- 0.5.
"""
from typing import Any, Dict, Optional, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..nuscenes_facts import CAMERA_NAMES

REDUCED_DECODING = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2,
                    4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
ON_MISSING = ('error', 'mark')


@TRANSFORMS.register_module()
class GeminiLoadImages(BaseTransform):
    """Loads the images of all cameras in one fixed order.

    Sets `img` (list of (H, W, 3) uint8 BGR), `cam_names`, `cam2img` (N, 4, 4), `lidar2cam` (N, 4,
    4), `img_aug_matrix` (N, 4, 4), `camera_present` (N,), and `lidar_aug_matrix` (identity) unless
    it is set.

    Args:
        camera_names: which cameras, in which order.
        reduce: decode at 1/1, 1/2, 1/4 or 1/8 of the size, several times faster; `img_aug_matrix`
            knows of it.
        missing: what a file that is absent or damaged does: 'error', or 'mark' the camera as
            missing.
    """

    def __init__(self, *, camera_names: Sequence[str] = CAMERA_NAMES, reduce: int = 1,
                 missing: str = 'error') -> None:
        if reduce not in REDUCED_DECODING:
            raise ValueError(f'got reduce={reduce}; expected one of {sorted(REDUCED_DECODING)}')
        self.camera_names = tuple(camera_names)
        self.reduce = reduce
        self.missing = check_on_missing(missing)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads the images.

        Args:
            results: holds `images`: per camera `img_path`, `cam2img` (3x3), `lidar2cam` (4x4),
                `height`, `width`.
        """
        cameras = [results['images'][name] for name in self.camera_names]
        loaded = [self._load(camera) for camera in cameras]
        cam2img = np.tile(np.eye(4, dtype=np.float32), (len(cameras), 1, 1))
        cam2img[:, :3, :3] = [camera['cam2img'] for camera in cameras]
        return {
            'lidar_aug_matrix': np.eye(4, dtype=np.float32),
            **results,
            'img': [self._black(camera) if image is None else image
                    for image, camera in zip(loaded, cameras)],
            'camera_present': np.array([image is not None for image in loaded]),
            'cam_names': self.camera_names,
            'cam2img': cam2img,
            'lidar2cam': np.array([camera['lidar2cam'] for camera in cameras], dtype=np.float32),
            'img_aug_matrix': np.tile(resize_matrix(1 / self.reduce, 1 / self.reduce),
                                      (len(cameras), 1, 1)),
            'ori_shape': (cameras[0]['height'], cameras[0]['width']),
        }

    def _load(self, camera: Dict[str, Any]) -> Optional[np.ndarray]:
        """Returns the picture; None where it is missing and may be."""
        flags = REDUCED_DECODING[self.reduce] | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imread(camera['img_path'], flags)
        if image is None and self.missing == 'error':
            raise FileNotFoundError(f'cannot read the image {camera["img_path"]}; check the data '
                                    'root and convert the dataset again, which names all damaged '
                                    'files')
        return image

    def _black(self, camera: Dict[str, Any]) -> np.ndarray:
        # A decoder that reduces rounds up.
        size_hw = [-(-camera[side] // self.reduce) for side in ('height', 'width')]
        return np.zeros((*size_hw, 3), dtype=np.uint8)


def check_on_missing(missing: str) -> str:
    """Returns a loader's `missing` if it is one of those that exist.

    Raises:
        ValueError: if it is not.
    """
    if missing not in ON_MISSING:
        raise ValueError(f'got missing={missing!r}; expected one of {", ".join(ON_MISSING)}')
    return missing


def resize_matrix(scale_x: float, scale_y: float) -> np.ndarray:
    """Returns resized_from_raw_px (4, 4) float32 for pixel centres at integer coordinates."""
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 0], matrix[0, 3] = scale_x, 0.5 * scale_x - 0.5
    matrix[1, 1], matrix[1, 3] = scale_y, 0.5 * scale_y - 0.5
    return matrix
