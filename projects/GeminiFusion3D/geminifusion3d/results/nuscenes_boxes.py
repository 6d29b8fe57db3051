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
from mmdet3d.structures import LiDARInstance3DBoxes
from nuscenes.eval.common.config import config_factory

from ..nuscenes_facts import attribute_by_speed
from ..submission.content_rules import MAX_BOXES_PER_SAMPLE
from .info_file import KeyFrame

Record = Dict[str, Any]

CLASS_RANGE_M: Dict[str, float] = config_factory('detection_cvpr_2019').class_range


@dataclass(frozen=True)
class ConvertedBoxes:
    """The records of one sample and what was left out.

    Attributes:
        records: nuScenes records, best score first; equal scores keep the order of the model.
        n_degenerate: boxes dropped for a number that is not finite or a size that is not positive.
    """

    records: List[Record]
    n_degenerate: int


def boxes_to_records(*, boxes: LiDARInstance3DBoxes, scores: torch.Tensor, labels: torch.Tensor,
                     class_names: Sequence[str], frame: KeyFrame, within_class_range: bool = True,
                     max_boxes: int = MAX_BOXES_PER_SAMPLE) -> ConvertedBoxes:
    """Converts the boxes of one sample.

    Args:
        boxes: (N, 9) boxes in the LiDAR frame with velocity.
        scores: (N,) confidences in [0, 1].
        labels: (N,) indices into `class_names`.
        class_names: detection classes in the order of the model's labels.
        frame: the sample and its poses.
        within_class_range: leave out what the devkit leaves out anyway, boxes at or beyond the
            evaluation range of their class, so that they cannot crowd out others at the limit.
        max_boxes: how many boxes to keep, by score.

    Raises:
        ValueError: if the boxes have no velocity or a score lies outside [0, 1].
    """
    if boxes.tensor.shape[-1] != 9:
        raise ValueError(f'got boxes with {boxes.tensor.shape[-1]} columns, expected 9 (x, y, z, '
                         'l, w, h, yaw, vx, vy); train the head with velocities')
    gravity_boxes = torch.cat([boxes.gravity_center, boxes.tensor[:, 3:]], dim=1)
    boxes_lidar = gravity_boxes.detach().cpu().double().numpy()
    scores_np = scores.detach().cpu().double().numpy()
    names = np.array([class_names[label] for label in labels.tolist()], dtype=object)

    is_finite = np.isfinite(boxes_lidar).all(1) & np.isfinite(scores_np)
    is_sound = is_finite & (boxes_lidar[:, 3:6] > 0).all(1)
    boxes_lidar, scores_np, names = boxes_lidar[is_sound], scores_np[is_sound], names[is_sound]
    if ((scores_np < 0) | (scores_np > 1)).any():
        raise ValueError(f'got scores from {scores_np.min():g} to {scores_np.max():g}, expected '
                         'confidences in [0, 1]; does the head return logits?')

    center_m, yaw_rad, velocity_mps = boxes_to_global(boxes_lidar, frame.global_from_lidar)
    keep = np.argsort(-scores_np, kind='stable')
    if within_class_range:
        range_m = np.array([CLASS_RANGE_M[name] for name in names])
        is_near = np.linalg.norm(center_m[:, :2] - frame.ego_xy_global_m, axis=1) < range_m
        keep = keep[is_near[keep]]
    records = [
        _record(frame.token, center_m[i], boxes_lidar[i, [4, 3, 5]], yaw_rad[i], velocity_mps[i],
                names[i], scores_np[i]) for i in keep[:max_boxes]]
    return ConvertedBoxes(records=records, n_degenerate=int((~is_sound).sum()))


def boxes_to_global(boxes_lidar: np.ndarray, global_from_lidar: np.ndarray
                    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
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


def _level(xy_lidar: np.ndarray, global_rot_lidar: np.ndarray) -> np.ndarray:
    """Returns the horizontal global vectors whose x and y in the LiDAR frame are given.

    The LiDAR's z of such a vector follows from its global z being zero: (R [x y z]^T)_z = 0.
    """
    z_lidar = -(xy_lidar @ global_rot_lidar[2, :2]) / global_rot_lidar[2, 2]
    return np.column_stack([xy_lidar, z_lidar]) @ global_rot_lidar[:2].T


def _record(token: str, center_m: np.ndarray, wlh_m: np.ndarray, yaw_rad: float,
            velocity_mps: np.ndarray, class_name: str, score: float) -> Record:
    return {
        'sample_token': token,
        'translation': center_m.tolist(),
        'size': wlh_m.tolist(),
        'rotation': [float(np.cos(yaw_rad / 2)), 0.0, 0.0, float(np.sin(yaw_rad / 2))],
        'velocity': velocity_mps.tolist(),
        'detection_name': class_name,
        'detection_score': float(score),
        'attribute_name': attribute_by_speed(class_name, float(np.hypot(*velocity_mps))),
    }
