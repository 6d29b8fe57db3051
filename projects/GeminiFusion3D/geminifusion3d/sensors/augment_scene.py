"""Scene augmentation: points and boxes turned, scaled, shifted, flipped, by one known matrix.

Same family as mmdet3d's GlobalRotScaleTrans and RandomFlip3D; the delta: one matrix moves
everything, so that points, boxes and `lidar_aug_matrix` cannot disagree, and inputs are not
mutated.
"""
from typing import Any, Dict, Tuple

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints, LiDARInstance3DBoxes

from .load_points import with_tensor


@TRANSFORMS.register_module()
class GeminiAugmentScene(BaseTransform):
    """Moves every cloud and `gt_bboxes_3d`, whichever are there, and composes `lidar_aug_matrix`.

    The order is rotate about z, scale, translate, flip. `lidar_aug_matrix` is
    augmented_from_raw_lidar (4x4): cameras are reached from augmented points through its inverse.

    Args:
        rotate_range_rad: range of the angle about z.
        scale_range: range of the scale.
        translate_std_m: standard deviation of the shift in x, y, z.
        flip_x_prob: probability that x becomes -x.
        flip_y_prob: probability that y becomes -y.
    """

    def __init__(self, *, rotate_range_rad: Tuple[float, float] = (0.0, 0.0),
                 scale_range: Tuple[float, float] = (1.0, 1.0),
                 translate_std_m: Tuple[float, float, float] = (0.0, 0.0, 0.0),
                 flip_x_prob: float = 0.0, flip_y_prob: float = 0.0) -> None:
        if min(scale_range) <= 0:
            raise ValueError(f'got scale_range={scale_range}; expected factors above 0')
        self.rotate_range_rad = rotate_range_rad
        self.scale_range = scale_range
        self.translate_std_m = translate_std_m
        self.flip_x_prob = flip_x_prob
        self.flip_y_prob = flip_y_prob

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Augments the scene.

        Args:
            results: may hold clouds, whatever their names, and `gt_bboxes_3d`; `lidar_aug_matrix` as a loader
                sets it.
        """
        augmented_from_lidar = self._draw()
        results = {**results, 'lidar_aug_matrix':
                   (augmented_from_lidar @ results['lidar_aug_matrix']).astype(np.float32)}
        for key, value in results.items():
            if isinstance(value, BasePoints):
                results[key] = move_points(augmented_from_lidar, value)
        if 'gt_bboxes_3d' in results:
            results['gt_bboxes_3d'] = move_boxes(augmented_from_lidar, results['gt_bboxes_3d'])
        return results

    def _draw(self) -> np.ndarray:
        """Draws augmented_from_lidar (4, 4)."""
        angle = np.random.uniform(*self.rotate_range_rad)
        scale = np.random.uniform(*self.scale_range)
        shift_m = np.random.normal(scale=self.translate_std_m)
        flip_x, flip_y = np.random.uniform(size=2) < (self.flip_x_prob, self.flip_y_prob)
        moved_from_lidar = np.eye(4)
        cos, sin = np.cos(angle), np.sin(angle)
        moved_from_lidar[:2, :2] = [[cos, -sin], [sin, cos]]
        moved_from_lidar[:3, :3] *= scale
        moved_from_lidar[:3, 3] = shift_m
        flip = np.diag([-1.0 if flip_x else 1.0, -1.0 if flip_y else 1.0, 1.0, 1.0])
        return flip @ moved_from_lidar


def move_points(dst_from_src: np.ndarray, points: BasePoints) -> BasePoints:
    """Returns the points in dst coordinates; of their further columns, a velocity turns and scales with them.

    Args:
        dst_from_src: (4, 4).
        points: (N, 3 + any); `attribute_dims` may name the two columns of a horizontal `velocity`.
    """
    matrix = torch.as_tensor(dst_from_src, dtype=torch.float32)
    # One product moves and copies; a sum for each column is faster than one over three in five.
    linear = torch.eye(points.tensor.shape[1])
    linear[:3, :3] = matrix[:3, :3].T
    if velocity := (points.attribute_dims or {}).get('velocity'):
        linear[np.ix_(velocity, velocity)] = matrix[:2, :2].T
    moved = points.tensor @ linear
    for axis in range(3):
        moved[:, axis] += matrix[axis, 3]
    return with_tensor(points, moved)


def move_boxes(dst_from_src: np.ndarray, boxes: LiDARInstance3DBoxes) -> LiDARInstance3DBoxes:
    """Returns the boxes in dst coordinates.

    Args:
        dst_from_src: z is kept apart: a turn about z, a scale, a shift and mirrors in x or y.
        boxes: (N, 7) or (N, 9); the velocity turns, scales and mirrors with the box.
    """
    matrix = torch.as_tensor(dst_from_src, dtype=torch.float32)
    linear_xy, scale = matrix[:2, :2], matrix[2, 2]
    tensor = boxes.tensor.clone()
    tensor[:, :3] = tensor[:, :3] @ matrix[:3, :3].T + matrix[:3, 3]
    tensor[:, 3:6] *= scale
    heading = torch.stack([tensor[:, 6].cos(), tensor[:, 6].sin()], dim=1) @ linear_xy.T
    tensor[:, 6] = torch.atan2(heading[:, 1], heading[:, 0])
    tensor[:, 7:9] = tensor[:, 7:9] @ linear_xy.T
    return boxes.new_box(tensor)
