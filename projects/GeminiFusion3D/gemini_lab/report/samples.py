"""One sample as its pictures need it: six cameras, the LiDAR sweep, poses and boxes."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence, Tuple

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.geometry.frames import invert_pose, pose
from .verdicts import Verdicts

# As they sit around the car, front row first.
RIG = (('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'),
       ('CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT'))


@dataclass(frozen=True)
class Camera:
    """One picture of a sample; `cam_from_global` holds at the moment of this camera."""

    channel: str
    image_path: Path
    intrinsic: np.ndarray
    cam_from_global: np.ndarray


@dataclass(frozen=True)
class Sample:
    """One keyframe with its boxes in the global frame; ego poses are those at LiDAR time.

    `verdicts` say which boxes of truth and predictions match, None where that is not known;
    `other_predictions` are those of a second model.
    """

    token: str
    scene_name: str
    description: str
    second_in_scene: float
    cameras: Tuple[Camera, ...]
    lidar_path: Path
    ego_from_lidar: np.ndarray
    ego_from_global: np.ndarray
    truth: Tuple[DetectionBox, ...]
    predictions: Tuple[DetectionBox, ...]
    other_predictions: Tuple[DetectionBox, ...] = ()
    verdicts: Optional[Verdicts] = None


def read_sample(nusc: NuScenes, token: str, *, truth: Sequence[DetectionBox],
                predictions: Sequence[DetectionBox],
                other_predictions: Sequence[DetectionBox] = (),
                verdicts: Optional[Verdicts] = None) -> Sample:
    """Collects everything that one sample's pictures need.

    Args:
        nusc: the dataset.
        token: of the sample.
        truth: its objects.
        predictions: of the model.
        other_predictions: of a second model.
        verdicts: on truth and predictions.
    """
    record = nusc.get('sample', token)
    scene = nusc.get('scene', record['scene_token'])
    first = nusc.get('sample', scene['first_sample_token'])
    lidar = nusc.get('sample_data', record['data']['LIDAR_TOP'])
    ego_from_lidar, global_from_ego = sensor_poses(nusc, lidar)
    return Sample(
        token=token, scene_name=scene['name'], description=scene['description'],
        second_in_scene=(record['timestamp'] - first['timestamp']) / 1e6,
        cameras=tuple(read_camera(nusc, record['data'][channel])
                      for row in RIG for channel in row if channel in record['data']),
        lidar_path=Path(nusc.dataroot) / lidar['filename'], ego_from_lidar=ego_from_lidar,
        ego_from_global=invert_pose(global_from_ego), truth=tuple(truth),
        predictions=tuple(predictions), other_predictions=tuple(other_predictions),
        verdicts=verdicts)


def read_camera(nusc: NuScenes, sample_data_token: str) -> Camera:
    """Collects one camera's file and geometry."""
    record = nusc.get('sample_data', sample_data_token)
    ego_from_cam, global_from_ego = sensor_poses(nusc, record)
    calibrated = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
    return Camera(channel=record['channel'], image_path=Path(nusc.dataroot) / record['filename'],
                  intrinsic=np.array(calibrated['camera_intrinsic'], dtype=np.float64),
                  cam_from_global=invert_pose(global_from_ego @ ego_from_cam))


def sensor_poses(nusc: NuScenes, record: Mapping[str, Any]) -> Tuple[np.ndarray, np.ndarray]:
    """Returns (ego_from_sensor, global_from_ego) of one sample_data record."""
    calibrated = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
    ego = nusc.get('ego_pose', record['ego_pose_token'])
    return (pose(calibrated['rotation'], calibrated['translation']),
            pose(ego['rotation'], ego['translation']))
