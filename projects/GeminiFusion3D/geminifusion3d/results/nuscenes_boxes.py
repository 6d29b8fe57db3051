"""Boxes of the model (LiDAR frame) -> nuScenes detection records (global frame).

First step after the head. Format: nuScenes detection README, "Results format". A nuScenes box
stands upright and moves horizontally in the global frame, while the LiDAR is mounted with a tilt;
the yaw and velocity of the model live in the LiDAR's own xy plane. `_level` undoes exactly that
projection, so that ground truth goes through the model's box format and back unchanged.
"""
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Float, Int
from mmdet3d.structures import LiDARInstance3DBoxes

from ..errors import UserError
from ..nuscenes_facts import CLASS_NAMES, CLASS_RANGE_M, MAX_BOXES_PER_SAMPLE, attribute_by_speed
from .evaluated_split import KeyFrame

Record = Dict[str, Any]


@dataclass(frozen=True)
class GlobalBoxes:
    """The boxes of one sample as nuScenes wants them, in 84 bytes each: a record takes 1,200.

    Attributes:
        token: the sample.
        center_m: gravity centres in the global frame.
        wlh_m: width, length, height.
        yaw_rad: about the global z axis.
        velocity_mps: in the global frame.
        scores: confidences, best first; equal ones come in the order of the model.
        labels: indices into nuscenes_facts.CLASS_NAMES.
        n_degenerate: boxes dropped for a number that is not finite or a size that is not positive.
    """

    token: str
    center_m: Float[np.ndarray, 'n 3']
    wlh_m: Float[np.ndarray, 'n 3']
    yaw_rad: Float[np.ndarray, ' n']
    velocity_mps: Float[np.ndarray, 'n 2']
    scores: Float[np.ndarray, ' n']
    labels: Int[np.ndarray, ' n']
    n_degenerate: int = 0

    def __len__(self) -> int:
        return len(self.scores)

    def records(self) -> List[Record]:
        """Returns the nuScenes records, with the attribute that the speed suggests."""
        columns = zip(self.center_m.tolist(), self.wlh_m.tolist(), self.yaw_rad, self.velocity_mps.tolist(),
                      self.scores.tolist(), self.labels.tolist())
        return [{
            'sample_token': self.token,
            'translation': center_m,
            'size': wlh_m,
            'rotation': [float(np.cos(yaw_rad / 2)), 0.0, 0.0, float(np.sin(yaw_rad / 2))],
            'velocity': velocity_mps,
            'detection_name': CLASS_NAMES[label],
            'detection_score': score,
            'attribute_name': attribute_by_speed(CLASS_NAMES[label], float(np.hypot(*velocity_mps))),
        } for center_m, wlh_m, yaw_rad, velocity_mps, score, label in columns]


def check_class_names(class_names: Sequence[str]) -> None:
    """Refuses classes that nuScenes does not score.

    Args:
        class_names: classes of the model; any of nuScenes' ten, in any order.

    Raises:
        UserError: naming the first that is none of the ten, or one that stands twice.
    """
    for name in class_names:
        if name not in CLASS_NAMES or list(class_names).count(name) > 1:
            raise UserError(f'got the classes {", ".join(class_names)}, of which nuScenes does not score '
                            f'{name!r} (or it stands twice); expected some of {", ".join(CLASS_NAMES)}, or '
                            'score own classes with GeminiDetectionMetric')


def to_global_boxes(*, boxes: LiDARInstance3DBoxes, scores: Float[torch.Tensor, ' n'],
                    labels: Int[torch.Tensor, ' n'], class_names: Sequence[str], frame: KeyFrame,
                    within_class_range: bool = True, max_boxes: int = MAX_BOXES_PER_SAMPLE) -> GlobalBoxes:
    """Converts the boxes of one sample.

    Args:
        boxes: (N, 9) boxes in the LiDAR frame with velocity.
        scores: (N,) confidences in [0, 1].
        labels: (N,) indices into `class_names`.
        class_names: classes of nuScenes in the order of the model's labels, see check_class_names.
        frame: the sample and its poses.
        within_class_range: leave out what the devkit leaves out anyway, boxes at or beyond the
            evaluation range of their class, so that they cannot crowd out others at the limit.
        max_boxes: the best so many by score are returned.

    Returns:
        The boxes in the global frame, best score first.

    Raises:
        ValueError: if the boxes have no velocity or a score lies outside [0, 1].
    """
    if boxes.tensor.shape[-1] != 9:
        raise ValueError(f'got boxes with {boxes.tensor.shape[-1]} columns, expected 9 (x, y, z, '
                         'l, w, h, yaw, vx, vy); train the head with velocities')
    gravity_boxes = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:]], dim=1)
    boxes_lidar = gravity_boxes.detach().cpu().double().numpy()
    scores_np = scores.detach().cpu().double().numpy()
    to_nuscenes = np.array([CLASS_NAMES.index(name) for name in class_names], dtype=int)
    labels_np = to_nuscenes[labels.cpu().numpy()]

    is_finite = np.isfinite(boxes_lidar).all(1) & np.isfinite(scores_np)
    is_sound = is_finite & (boxes_lidar[:, 3:6] > 0).all(1)
    boxes_lidar, scores_np, labels_np = boxes_lidar[is_sound], scores_np[is_sound], labels_np[is_sound]
    if ((scores_np < 0) | (scores_np > 1)).any():
        raise ValueError(f'got scores from {scores_np.min():g} to {scores_np.max():g}, expected '
                         'confidences in [0, 1]; does the head return logits?')

    center_m, yaw_rad, velocity_mps = boxes_to_global(boxes_lidar, frame.global_from_lidar)
    best = np.argsort(-scores_np, kind='stable')
    if within_class_range:
        range_m = np.array([CLASS_RANGE_M[name] for name in CLASS_NAMES])[labels_np]
        is_near = np.linalg.norm(center_m[:, :2] - frame.ego_xy_global_m, axis=1) < range_m
        best = best[is_near[best]]
    best = best[:max_boxes]
    return GlobalBoxes(
        token=frame.token, center_m=center_m[best], wlh_m=boxes_lidar[best][:, [4, 3, 5]],
        yaw_rad=yaw_rad[best], velocity_mps=velocity_mps[best], scores=scores_np[best],
        labels=labels_np[best].astype(np.int32), n_degenerate=int((~is_sound).sum()))


def boxes_to_global(boxes_lidar: Float[np.ndarray, 'n 9'], global_from_lidar: Float[np.ndarray, '4 4']
                    ) -> Tuple[Float[np.ndarray, 'n 3'], Float[np.ndarray, ' n'], Float[np.ndarray, 'n 2']]:
    """Moves boxes from the LiDAR frame to the global frame, where they stand upright.

    Args:
        boxes_lidar: (N, 9) gravity centre, l, w, h, yaw, vx, vy.
        global_from_lidar: (4, 4) pose.

    Returns:
        Centres (N, 3) in metres, yaws (N,) in radians and velocities (N, 2) in metres per second.
    """
    global_rot_lidar = global_from_lidar[:3, :3]
    center_m = boxes_lidar[:, :3] @ global_rot_lidar.T + global_from_lidar[:3, 3]
    heading_lidar = np.stack([np.cos(boxes_lidar[:, 6]), np.sin(boxes_lidar[:, 6])], axis=1)
    heading = _level(heading_lidar, global_rot_lidar)
    velocity_mps = _level(boxes_lidar[:, 7:9], global_rot_lidar)
    return center_m, np.arctan2(heading[:, 1], heading[:, 0]), velocity_mps


def _level(xy_lidar: Float[np.ndarray, 'n 2'], global_rot_lidar: Float[np.ndarray, '3 3']
           ) -> Float[np.ndarray, 'n 2']:
    """Returns the horizontal global vectors whose x and y in the LiDAR frame are given.

    The LiDAR's z of such a vector follows from its global z being zero: (R [x y z]^T)_z = 0.
    """
    z_lidar = -(xy_lidar @ global_rot_lidar[2, :2]) / global_rot_lidar[2, 2]
    return np.column_stack([xy_lidar, z_lidar]) @ global_rot_lidar[:2].T
