"""Third step of the conversion: one scene's tables become info records in mmdet3d's v2 layout.

Records hold builtin types only (matrices are nested lists), so that they can be read without
executing code. All poses are chained through the global frame in float64. Differences from the
host's `nuscenes_converter.py`: see the notes at the functions.
"""
from typing import Any, Dict, List, Optional

import numpy as np
from nuscenes.eval.common.utils import quaternion_yaw
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes
from pyquaternion import Quaternion

from geminifusion3d.channels import CAMERA_NAMES, LIDAR_NAME
from geminifusion3d.classes import CLASS_NAMES
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import invert_pose, pose, transform_points

from .nuscenes_tables import checked_relative_path

MICROSECONDS = 1e-6
NUM_LIDAR_FEATURES = 5
VOID_LABEL = -1

Info = Dict[str, Any]


def scene_infos(nusc: NuScenes, scene_token: str, max_sweeps: int) -> List[Info]:
    """Builds the records of one scene's keyframes in the order of time.

    Args:
        nusc: the opened tables.
        scene_token: which scene.
        max_sweeps: how many LiDAR sweeps before each keyframe to list.
    """
    infos = []
    sample_token = nusc.get('scene', scene_token)['first_sample_token']
    while sample_token:
        sample = nusc.get('sample', sample_token)
        infos.append(sample_info(nusc, sample, max_sweeps))
        sample_token = sample['next']
    return infos


def sample_info(nusc: NuScenes, sample: Info, max_sweeps: int) -> Info:
    """Builds one keyframe's record, all but `sample_idx`, which its place in a split gives.

    Raises:
        UserError: if the keyframe lacks a sensor.
    """
    absent = [name for name in (*CAMERA_NAMES, LIDAR_NAME) if name not in sample['data']]
    if absent:
        raise UserError(f'sample {sample["token"]} has no key frame of {", ".join(absent)}; '
                        'expected the six cameras and LIDAR_TOP in the sample_data table')
    scene = nusc.get('scene', sample['scene_token'])
    lidar = nusc.get('sample_data', sample['data'][LIDAR_NAME])
    ego_from_lidar, global_from_ego = _ego_from_sensor(nusc, lidar), _global_from_ego(nusc, lidar)
    global_from_lidar = global_from_ego @ ego_from_lidar
    return {
        'token': sample['token'],
        'scene_token': scene['token'],
        'scene_name': scene['name'],
        'timestamp': lidar['timestamp'] * MICROSECONDS,
        'timestamp_us': lidar['timestamp'],
        'ego2global': global_from_ego.tolist(),
        'images': {name: _image_info(nusc, sample['data'][name], global_from_lidar)
                   for name in CAMERA_NAMES},
        'lidar_points': {
            'num_pts_feats': NUM_LIDAR_FEATURES,
            'lidar_path': checked_relative_path(lidar['filename']),
            'lidar2ego': ego_from_lidar.tolist(),
            'sample_data_token': lidar['token'],
        },
        'lidar_sweeps': _sweep_infos(nusc, lidar, global_from_lidar, max_sweeps),
        'instances': [_instance_info(nusc, token, global_from_lidar) for token in sample['anns']],
    }


def _ego_from_sensor(nusc: NuScenes, sample_data: Info) -> np.ndarray:
    calibration = nusc.get('calibrated_sensor', sample_data['calibrated_sensor_token'])
    return pose(calibration['rotation'], calibration['translation'])


def _global_from_ego(nusc: NuScenes, sample_data: Info) -> np.ndarray:
    """The ego pose at this sensor's own time: between two sensors' shots the car drives on."""
    ego_pose = nusc.get('ego_pose', sample_data['ego_pose_token'])
    return pose(ego_pose['rotation'], ego_pose['translation'])


def _image_info(nusc: NuScenes, token: str, global_from_lidar: np.ndarray) -> Info:
    camera = nusc.get('sample_data', token)
    calibration = nusc.get('calibrated_sensor', camera['calibrated_sensor_token'])
    ego_from_cam, global_from_ego = _ego_from_sensor(nusc, camera), _global_from_ego(nusc, camera)
    cam_from_lidar = invert_pose(global_from_ego @ ego_from_cam) @ global_from_lidar
    return {
        'img_path': checked_relative_path(camera['filename']),
        'cam2img': np.asarray(calibration['camera_intrinsic'], dtype=float).reshape(3, 3).tolist(),
        'sample_data_token': token,
        'timestamp': camera['timestamp'] * MICROSECONDS,
        'cam2ego': ego_from_cam.tolist(),
        'ego2global': global_from_ego.tolist(),
        'lidar2cam': cam_from_lidar.tolist(),
        'height': camera['height'],
        'width': camera['width'],
    }


def _sweep_infos(nusc: NuScenes, keyframe: Info, global_from_lidar: np.ndarray,
                 max_sweeps: int) -> List[Info]:
    """The sweeps before the keyframe, newest first; fewer, or none, where a scene starts."""
    sweeps: List[Info] = []
    token = keyframe['prev']
    while token and len(sweeps) < max_sweeps:
        sweep = nusc.get('sample_data', token)
        ego_from_sweep = _ego_from_sensor(nusc, sweep)
        global_from_ego = _global_from_ego(nusc, sweep)
        sweep_from_lidar = invert_pose(global_from_ego @ ego_from_sweep) @ global_from_lidar
        sweeps.append({
            'timestamp': sweep['timestamp'] * MICROSECONDS,
            'timestamp_us': sweep['timestamp'],
            'sample_data_token': token,
            'ego2global': global_from_ego.tolist(),
            'lidar_points': {
                'lidar_path': checked_relative_path(sweep['filename']),
                'lidar2ego': ego_from_sweep.tolist(),
                'lidar2sensor': sweep_from_lidar.tolist(),
            },
        })
        token = sweep['prev']
    return sweeps


def _instance_info(nusc: NuScenes, token: str, global_from_lidar: np.ndarray) -> Info:
    """One annotated box in the LiDAR frame; all 23 categories are kept, void ones with label -1.

    `bbox_3d_isvalid` counts LiDAR and radar returns, as the devkit's filter of the ground truth
    does.
    """
    annotation = nusc.get('sample_annotation', token)
    lidar_from_global = invert_pose(global_from_lidar)
    center_global_m = np.asarray([annotation['translation']], dtype=float)
    center_m = transform_points(lidar_from_global, center_global_m)[0].tolist()
    width_m, length_m, height_m = annotation['size']
    rotation = Quaternion(matrix=lidar_from_global[:3, :3], rtol=1e-5, atol=1e-7)
    yaw = quaternion_yaw(rotation * Quaternion(annotation['rotation']))
    velocity = lidar_from_global[:3, :3] @ nusc.box_velocity(token)
    label = _label(annotation['category_name'])
    return {
        'bbox_label': label,
        'bbox_label_3d': label,
        'category': annotation['category_name'],
        'bbox_3d': [*center_m, float(length_m), float(width_m), float(height_m), float(yaw)],
        'velocity': velocity[:2].tolist(),
        'num_lidar_pts': annotation['num_lidar_pts'],
        'num_radar_pts': annotation['num_radar_pts'],
        'bbox_3d_isvalid': annotation['num_lidar_pts'] + annotation['num_radar_pts'] > 0,
        'attribute': _attribute(nusc, annotation),
        'visibility': _visibility(annotation['visibility_token']),
        'instance_token': annotation['instance_token'],
        'annotation_token': token,
    }


def _label(category: str) -> int:
    name = category_to_detection_name(category)
    return VOID_LABEL if name is None else CLASS_NAMES.index(name)


def _attribute(nusc: NuScenes, annotation: Info) -> str:
    tokens = annotation['attribute_tokens']
    if len(tokens) > 1:
        raise UserError(f'annotation {annotation["token"]} has {len(tokens)} attributes; expected '
                        'none or one, more cannot be evaluated')
    return nusc.get('attribute', tokens[0])['name'] if tokens else ''


def _visibility(token: str) -> Optional[int]:
    return int(token) if token else None
