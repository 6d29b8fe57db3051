"""Third step of the conversion: one scene's tables become info records in mmdet3d's v2 layout.

Records hold builtin types only (matrices are nested lists), so that they can be read without
executing code. All poses are chained through the global frame in float64, a scene's at once.
Differences from the host's `nuscenes_converter.py`: see the notes at the functions.
"""
from typing import Any, Dict, List

import numpy as np
from nuscenes.nuscenes import NuScenes

from ..nuscenes_facts import CAMERA_NAMES, LIDAR_NAME
from ..errors import UserError

from .instance_infos import MICROSECONDS, instance_infos
from .nuscenes_tables import checked_relative_path
from .sensor_poses import SensorPoses

NUM_LIDAR_FEATURES = 5

Info = Dict[str, Any]


def scene_infos(nusc: NuScenes, scene_token: str, max_sweeps: int) -> List[Info]:
    """Builds the records of one scene's keyframes in the order of time.

    They lack `sample_idx`, which their place in a split gives.

    Args:
        nusc: the opened tables.
        scene_token: which scene.
        max_sweeps: how many LiDAR sweeps before each keyframe to list.

    Raises:
        UserError: if a keyframe lacks a sensor.
    """
    scene = nusc.get('scene', scene_token)
    samples = _samples(nusc, scene)
    sweeps = [_sweeps_before(nusc, sample, max_sweeps) for sample in samples]
    keyframes = [nusc.get('sample_data', sample['data'][name])
                 for sample in samples for name in (LIDAR_NAME, *CAMERA_NAMES)]
    poses = SensorPoses(nusc, [*keyframes, *(sweep for some in sweeps for sweep in some)])
    global_from_lidar = poses.global_from_sensors([sample['data'][LIDAR_NAME] for sample in samples])
    return [{
        **_keyframe_info(nusc, poses, scene, sample),
        'images': _image_infos(nusc, poses, sample),
        'lidar_points': _lidar_info(nusc, poses, sample),
        'lidar_sweeps': _sweep_infos(poses, sample, some),
        'instances': instances,
    } for sample, some, instances in zip(samples, sweeps, instance_infos(nusc, samples, global_from_lidar))]


def _samples(nusc: NuScenes, scene: Info) -> List[Info]:
    """Returns the scene's rows of the sample table in the order of time."""
    samples = []
    token = scene['first_sample_token']
    while token:
        samples.append(nusc.get('sample', token))
        token = samples[-1]['next']
    for sample in samples:
        absent = [name for name in (*CAMERA_NAMES, LIDAR_NAME) if name not in sample['data']]
        if absent:
            raise UserError(f'sample {sample["token"]} has no key frame of {", ".join(absent)}; '
                            'expected the six cameras and LIDAR_TOP in the sample_data table')
    return samples


def _sweeps_before(nusc: NuScenes, sample: Info, max_sweeps: int) -> List[Info]:
    """The sweeps before the keyframe, newest first; fewer, or none, where a scene starts."""
    sweeps: List[Info] = []
    token = nusc.get('sample_data', sample['data'][LIDAR_NAME])['prev']
    while token and len(sweeps) < max_sweeps:
        sweeps.append(nusc.get('sample_data', token))
        token = sweeps[-1]['prev']
    return sweeps


def _keyframe_info(nusc: NuScenes, poses: SensorPoses, scene: Info, sample: Info) -> Info:
    """The LiDAR's time and ego pose are the keyframe's."""
    lidar_token = sample['data'][LIDAR_NAME]
    timestamp_us = nusc.get('sample_data', lidar_token)['timestamp']
    return {
        'token': sample['token'],
        'scene_token': scene['token'],
        'scene_name': scene['name'],
        'timestamp': timestamp_us * MICROSECONDS,
        'timestamp_us': timestamp_us,
        'ego2global': poses.global_from_ego(lidar_token),
    }


def _lidar_info(nusc: NuScenes, poses: SensorPoses, sample: Info) -> Info:
    token = sample['data'][LIDAR_NAME]
    return {
        'num_pts_feats': NUM_LIDAR_FEATURES,
        'lidar_path': checked_relative_path(nusc.get('sample_data', token)['filename']),
        'lidar2ego': poses.ego_from_sensor(token),
        'sample_data_token': token,
    }


def _image_infos(nusc: NuScenes, poses: SensorPoses, sample: Info) -> Dict[str, Info]:
    tokens = [sample['data'][name] for name in CAMERA_NAMES]
    cams_from_lidar = poses.sensors_from_sensor(tokens, sample['data'][LIDAR_NAME])
    return {name: _image_info(nusc, poses, token, cam_from_lidar)
            for name, token, cam_from_lidar in zip(CAMERA_NAMES, tokens, cams_from_lidar)}


def _image_info(nusc: NuScenes, poses: SensorPoses, token: str, cam_from_lidar: List[List[float]]) -> Info:
    camera = nusc.get('sample_data', token)
    calibration = nusc.get('calibrated_sensor', camera['calibrated_sensor_token'])
    return {
        'img_path': checked_relative_path(camera['filename']),
        'cam2img': np.asarray(calibration['camera_intrinsic'], dtype=float).reshape(3, 3).tolist(),
        'sample_data_token': token,
        'timestamp': camera['timestamp'] * MICROSECONDS,
        'cam2ego': poses.ego_from_sensor(token),
        'ego2global': poses.global_from_ego(token),
        'lidar2cam': cam_from_lidar,
        'height': camera['height'],
        'width': camera['width'],
    }


def _sweep_infos(poses: SensorPoses, sample: Info, sweeps: List[Info]) -> List[Info]:
    tokens = [sweep['token'] for sweep in sweeps]
    sweeps_from_lidar = poses.sensors_from_sensor(tokens, sample['data'][LIDAR_NAME])
    return [{
        'timestamp': sweep['timestamp'] * MICROSECONDS,
        'timestamp_us': sweep['timestamp'],
        'sample_data_token': sweep['token'],
        'ego2global': poses.global_from_ego(sweep['token']),
        'lidar_points': {
            'lidar_path': checked_relative_path(sweep['filename']),
            'lidar2ego': poses.ego_from_sensor(sweep['token']),
            'lidar2sensor': sweep_from_lidar,
        },
    } for sweep, sweep_from_lidar in zip(sweeps, sweeps_from_lidar)]
