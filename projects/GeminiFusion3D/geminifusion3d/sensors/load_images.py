"""Camera images from their files, with the matrices that place them in space.

A camera whose file cannot be read is an error, or, on request, a missing sensor: a black picture
that `camera_present` tells of; where a record holds the check sum of a file, it is verified. A camera that
the record itself lacks is always a missing sensor.

Pixel convention of this folder: integer coordinates are pixel centres. `img_aug_matrix` is
`augmented_from_raw_px` (4x4, acting on (u, v, 1-or-depth, 1)): resizing by s maps u to s*(u + 0.5)
- 0.5. Raw pixels are those that the calibration belongs to, `height` x `width` of the record: a file of
another size is scaled by `img_aug_matrix` where it was merely resized, and refused otherwise.
"""
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..errors import UserError, check_choice
from ..nuscenes_facts import CAMERA_NAMES, IMAGE_HW
from ..picture_files import REDUCTIONS, decode, read_whole, resize_ratio
from ..point_files import check_same_file

ON_MISSING = ('error', 'mark')
# Of a camera that a record lacks; nothing is computed with them but what `camera_present` masks.
_NO_INTRINSICS, _NO_POSE = np.eye(3), np.eye(4)


class _Picture(NamedTuple):
    """A loaded picture, where its pixels come from, and the size that its calibration belongs to."""

    image: np.ndarray
    loaded_from_raw_px: np.ndarray
    raw_hw: Tuple[int, int]


@TRANSFORMS.register_module()
class GeminiLoadImages(BaseTransform):
    """Loads the images of all cameras in one fixed order.

    Sets `img` (list of (H, W, 3) uint8 BGR), `cam_names`, `cam2img` (N, 4, 4), `lidar2cam` (N, 4,
    4), `img_aug_matrix` (N, 4, 4), `camera_present` (N,), `ori_shape` and `ori_shapes` (height and width
    of the first and of each), and `lidar_aug_matrix` (identity) unless it is set.

    Args:
        camera_names: which cameras, in which order.
        reduce: decode at 1/1, 1/2, 1/4 or 1/8 of the size, several times faster; `img_aug_matrix`
            knows of it.
        missing: what a file that is absent or damaged does: 'error', or 'mark' the camera as
            missing.
    """

    def __init__(self, *, camera_names: Sequence[str] = CAMERA_NAMES, reduce: int = 1,
                 missing: str = 'error') -> None:
        if reduce not in REDUCTIONS:
            raise ValueError(f'got reduce={reduce}; expected one of {list(REDUCTIONS)}')
        self.camera_names = tuple(camera_names)
        self.reduce = reduce
        self.missing = check_choice('missing', missing, ON_MISSING)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads the images.

        Args:
            results: holds `images`: per camera `img_path` (None where there is no picture; an image (H,
                W, 3) uint8 BGR is taken as it is), `cam2img` (3x3), `lidar2cam` (4x4), and `height`,
                `width` unless they are the file's.

        Raises:
            UserError: if a file cannot be used, or the record knows nothing of a camera.
        """
        unknown = [name for name in self.camera_names if name not in results['images']]
        if unknown:
            raise UserError(f'the record knows no camera {", ".join(unknown)}, only '
                            f'{", ".join(results["images"]) or "none"}; name these in camera_names')
        cameras = [results['images'][name] for name in self.camera_names]
        loaded = [self._load(camera) for camera in cameras]
        usual_hw = next((one.raw_hw for one in loaded if one is not None), IMAGE_HW)
        pictures = [self._black(_size_hw(camera) or usual_hw) if one is None else one
                    for one, camera in zip(loaded, cameras)]
        cam2img = np.tile(np.eye(4, dtype=np.float32), (len(cameras), 1, 1))
        cam2img[:, :3, :3] = [_matrix(camera, 'cam2img', _NO_INTRINSICS) for camera in cameras]
        return {
            'lidar_aug_matrix': np.eye(4, dtype=np.float32),
            **results,
            'img': [one.image for one in pictures],
            'camera_present': np.array([one is not None for one in loaded]),
            'cam_names': self.camera_names,
            'cam2img': cam2img,
            'lidar2cam': np.array([_matrix(camera, 'lidar2cam', _NO_POSE) for camera in cameras],
                                  dtype=np.float32),
            'img_aug_matrix': np.stack([one.loaded_from_raw_px for one in pictures]),
            'ori_shape': pictures[0].raw_hw,
            'ori_shapes': tuple(one.raw_hw for one in pictures),
        }

    def _load(self, camera: Dict[str, Any]) -> Optional[_Picture]:
        """Returns the picture; None where it is missing and may be."""
        path = camera['img_path']
        if path is None:
            return None
        if isinstance(path, np.ndarray):
            return _placed(path, path.shape[:2], (1.0, 1.0), camera, 'a picture')
        try:
            data, facts = read_whole(path)
            check_same_file(f'the picture {path}', data, camera.get('crc32'))
            image, scales = decode(data, self.reduce, f'the picture {path}')
        except UserError as error:
            if self.missing == 'mark':
                return None
            raise UserError(f'{error}; gemini3d convert --read-all names all damaged files') from error
        return _placed(image, facts.hw, scales, camera, path)

    def _black(self, raw_hw: Tuple[int, int]) -> _Picture:
        # A decoder that reduces rounds up.
        size_hw = [-(-side // self.reduce) for side in raw_hw]
        return _Picture(np.zeros((*size_hw, 3), dtype=np.uint8),
                        resize_matrix(1 / self.reduce, 1 / self.reduce), raw_hw)


def _placed(image: np.ndarray, hw: Tuple[int, int], scales: Tuple[float, float], camera: Dict[str, Any],
            name: str) -> _Picture:
    """Compares the size of a file with that of its calibration and scales between them."""
    raw_hw = _size_hw(camera) or hw
    ratio = resize_ratio(hw, raw_hw)
    if ratio is None:
        raise UserError(f'{name} is {hw[1]}x{hw[0]}, but its calibration belongs to {raw_hw[1]}x{raw_hw[0]}: '
                        'it was cropped or stretched; correct width, height and intrinsics in the tables, or '
                        'take the original picture')
    return _Picture(image, resize_matrix(scales[1] * ratio[1], scales[0] * ratio[0]), raw_hw)


def _size_hw(camera: Dict[str, Any]) -> Optional[Tuple[int, int]]:
    """Returns the size that a camera's calibration belongs to, None where it is the file's."""
    return (camera['height'], camera['width']) if camera.get('height') and camera.get('width') else None


def _matrix(camera: Dict[str, Any], key: str, absent: np.ndarray) -> np.ndarray:
    if camera['img_path'] is None and camera.get(key) is None:
        return absent
    matrix = np.asarray(camera[key], dtype=np.float64)
    if matrix.shape != absent.shape or not np.isfinite(matrix).all():
        side = len(absent)
        raise UserError(f'{key} of {camera["img_path"]} is no {side}x{side} matrix of finite numbers; '
                        'correct the calibration')
    return matrix


def resize_matrix(scale_x: float, scale_y: float) -> np.ndarray:
    """Returns resized_from_raw_px (4, 4) float32 for pixel centres at integer coordinates."""
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 0], matrix[0, 3] = scale_x, 0.5 * scale_x - 0.5
    matrix[1, 1], matrix[1, 3] = scale_y, 0.5 * scale_y - 0.5
    return matrix
