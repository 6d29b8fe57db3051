"""The car's sensors: where they sit, where they look, when they fire. Figures of the real car.

Every log has its own calibration, a few millimetres and tenths of a degree away from the next.
"""
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
from pyquaternion import Quaternion

from geminifusion3d.geometry.frames import pose

from .seeding import make_rng

IMAGE_SIZE = (1600, 900)
LIDAR = 'LIDAR_TOP'
# channel: (translation in the ego frame, heading in degrees, focal length, principal point,
#           offset of the key image from the LiDAR keyframe in microseconds)
_CAMERAS = {
    'CAM_FRONT': ((1.701, 0.016, 1.511), 0.0, 1266.4, (816.3, 491.5), -35491),
    'CAM_FRONT_RIGHT': ((1.551, -0.493, 1.496), -56.0, 1260.8, (807.9, 495.3), -27612),
    'CAM_BACK_RIGHT': ((1.015, -0.481, 1.562), -111.0, 1259.5, (807.3, 501.2), -20058),
    'CAM_BACK': ((0.028, 0.003, 1.579), 180.0, 809.2, (829.2, 481.8), -10426),
    'CAM_BACK_LEFT': ((1.036, 0.485, 1.591), 109.0, 1256.7, (792.1, 492.8), -528),
    'CAM_FRONT_LEFT': ((1.524, 0.495, 1.509), 55.0, 1272.6, (826.6, 479.8), -43107)}
_RADARS = {
    'RADAR_FRONT': ((3.412, 0.0, 0.5), 0.0), 'RADAR_FRONT_LEFT': ((2.422, 0.8, 0.78), 90.0),
    'RADAR_FRONT_RIGHT': ((2.422, -0.8, 0.77), -90.0),
    'RADAR_BACK_LEFT': ((-0.562, 0.628, 0.53), 175.0),
    'RADAR_BACK_RIGHT': ((-0.562, -0.618, 0.53), -175.0)}
CAMERAS: Tuple[str, ...] = tuple(_CAMERAS)
RADARS: Tuple[str, ...] = tuple(_RADARS)
CHANNELS: Tuple[str, ...] = (*CAMERAS, LIDAR, *RADARS)
KEYFRAME_PERIOD_US = 500_000
_LIDAR_SWEEPS = 10
_CAMERA_SWEEPS = 6
_RADAR_PERIOD_US = 1_000_000 / 13
# Columns: camera axes (right, down, forward) in ego axes (forward, left, up).
_EGO_FROM_CAM_AXES = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


class Mount(NamedTuple):
    """Calibration of one sensor; intrinsic is (3, 3) for cameras, None for others."""

    channel: str
    translation_m: Tuple[float, ...]
    rotation: Quaternion
    intrinsic: 'np.ndarray | None'

    @property
    def modality(self) -> str:
        """Returns 'camera', 'lidar' or 'radar', the devkit's words."""
        return {'CAM': 'camera', 'LID': 'lidar', 'RAD': 'radar'}[self.channel[:3]]

    @property
    def ego_from_sensor(self) -> np.ndarray:
        """Returns the pose (4, 4) of the sensor on the car."""
        return pose(list(self.rotation), list(self.translation_m))


class Shot(NamedTuple):
    """One firing of a sensor: when, whether it belongs to a keyframe, and to which sample."""

    channel: str
    timestamp_us: int
    is_key_frame: bool
    sample_index: int


def build_rig(seed: int, log_name: str) -> Dict[str, Mount]:
    """Returns the calibration of all twelve sensors during one log."""
    rng = make_rng(seed, log_name, 'rig')
    mounts = {}
    for channel in CHANNELS:
        tilt = rng.normal(0, np.deg2rad(0.2), 3)
        shift = rng.normal(0, 0.003, 3)
        wobble = (Quaternion(axis=[1, 0, 0], radians=tilt[0])
                  * Quaternion(axis=[0, 1, 0], radians=tilt[1])
                  * Quaternion(axis=[0, 0, 1], radians=tilt[2]))
        zoom, intrinsic = rng.normal(0, 2.0, 3), None
        if channel in _CAMERAS:
            translation, heading, focal, center, _offset = _CAMERAS[channel]
            axes = Quaternion(matrix=_EGO_FROM_CAM_AXES)
            intrinsic = np.array([[focal + zoom[0], 0, center[0] + zoom[1]],
                                  [0, focal + zoom[0], center[1] + zoom[2]], [0, 0, 1.0]])
        elif channel == LIDAR:
            translation, heading, axes = (0.944, 0.0, 1.840), -90.0, Quaternion()
        else:
            (translation, heading), axes = _RADARS[channel], Quaternion()
        rotation = wobble * Quaternion(axis=[0, 0, 1], degrees=heading) * axes
        mounts[channel] = Mount(channel, tuple((np.array(translation) + shift).tolist()),
                                rotation.normalised, intrinsic)
    return mounts


def _camera_shots(channel: str, start_us: int, samples: int, with_sweeps: bool) -> List[Shot]:
    offset = _CAMERAS[channel][4]
    steps = _CAMERA_SWEEPS if with_sweeps else 1
    return [Shot(channel, start_us + offset + tick * KEYFRAME_PERIOD_US // steps,
                 tick % steps == 0, -(-tick // steps))
            for tick in range((samples - 1) * steps + 1)]


def _radar_shots(channel: str, start_us: int, samples: int, phase_us: float, with_sweeps: bool) -> List[Shot]:
    """Radars run freely at 13 Hz: the firing nearest to a keyframe belongs to it."""
    keys = [round((index * KEYFRAME_PERIOD_US - phase_us) / _RADAR_PERIOD_US) for index in range(samples)]
    ticks = range(keys[0], keys[-1] + 1) if with_sweeps else keys
    return [Shot(channel, start_us + int(phase_us + tick * _RADAR_PERIOD_US), tick in keys,
                 next(index for index, key in enumerate(keys) if key >= tick)) for tick in ticks]


def plan_shots(seed: int, scene_name: str, start_us: int, samples: int, all_sweeps: bool
               ) -> Dict[str, List[Shot]]:
    """Returns every firing of every sensor during a scene, in order of time per channel.

    A sweep belongs to the sample that follows it; the first LiDAR sweep is the first sample.

    Args:
        seed: the dataset's seed.
        scene_name: official scene name.
        start_us: timestamp of the first sample in microseconds.
        samples: number of keyframes.
        all_sweeps: also cameras and radars between keyframes; LiDAR sweeps are always there.
    """
    lidar = []
    for tick in range((samples - 1) * _LIDAR_SWEEPS + 1):
        jitter_us = int(make_rng(seed, scene_name, LIDAR, tick).integers(-300, 301)) if tick else 0
        time_us = start_us + tick * KEYFRAME_PERIOD_US // _LIDAR_SWEEPS + jitter_us
        lidar.append(Shot(LIDAR, time_us, tick % _LIDAR_SWEEPS == 0, -(-tick // _LIDAR_SWEEPS)))
    shots = {LIDAR: lidar}
    for channel in CAMERAS:
        shots[channel] = _camera_shots(channel, start_us, samples, all_sweeps)
    for channel in RADARS:
        phase_us = float(make_rng(seed, scene_name, channel).uniform(0, _RADAR_PERIOD_US))
        shots[channel] = _radar_shots(channel, start_us, samples, phase_us, all_sweeps)
    return shots
