"""Writes a tiny dataset in the official schema whose every number is known.

The car drives a circle, rolling and pitching a little, past fixed landmarks: each LiDAR file holds
exactly the landmarks, seen from where the sensor was, and three returns from the car itself.
"""
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import cv2
import numpy as np
from pyquaternion import Quaternion

CAMERA_HEADINGS_DEG = {'CAM_FRONT': 0, 'CAM_FRONT_RIGHT': -56, 'CAM_FRONT_LEFT': 55,
                       'CAM_BACK': 180, 'CAM_BACK_LEFT': 109, 'CAM_BACK_RIGHT': -111}
SPEED_MPS, YAW_RATE_RADPS = 8.0, 0.35
KEYFRAME_US, SWEEP_US = 500_000, 50_000
CAMERA_OFFSET_US = -35_000
NUM_LANDMARKS, NUM_CLOSE = 50, 3
LIDAR_MOUNT = ([0.944, 0.0, 1.84],
               Quaternion(axis=[0, 0, 1], degrees=-90) * Quaternion(axis=[1, 0, 0], degrees=0.5))
MOVING_CAR_MPS = 5.0
# (name, category, size wlh, lidar points, radar points, attribute)
OBJECTS = (
    ('parked', 'vehicle.car', [1.9, 4.5, 1.6], 12, 1, 'vehicle.parked'),
    ('moving', 'vehicle.car', [1.9, 4.5, 1.6], 9, 0, 'vehicle.moving'),
    ('dog', 'animal', [0.4, 0.9, 0.6], 3, 0, ''),
    ('unseen', 'human.pedestrian.adult', [0.6, 0.7, 1.8], 0, 0, 'pedestrian.standing'),
    ('radar', 'vehicle.truck', [2.5, 8.0, 3.0], 0, 2, 'vehicle.parked'),
    ('once', 'movable_object.barrier', [2.0, 0.5, 1.0], 5, 0, ''),
)


def token(*parts: Any) -> str:
    """A 32-digit token that belongs to a name."""
    return hashlib.md5('/'.join(map(str, parts)).encode()).hexdigest()


def ego_pose(time_us: int) -> Tuple[np.ndarray, Quaternion]:
    """Where the car is: on a circle, rolling and pitching."""
    seconds = time_us * 1e-6 % 1000
    yaw, radius_m = YAW_RATE_RADPS * seconds, SPEED_MPS / YAW_RATE_RADPS
    position_m = np.array([400 + radius_m * np.sin(yaw), 1100 - radius_m * np.cos(yaw), 0.0])
    rotation = (Quaternion(axis=[0, 0, 1], radians=yaw)
                * Quaternion(axis=[0, 1, 0], radians=0.02 * np.sin(3 * seconds))
                * Quaternion(axis=[1, 0, 0], radians=0.015 * np.cos(2 * seconds)))
    return position_m, rotation


def landmarks_global_m() -> np.ndarray:
    """Fixed points (N, 3) around the circle."""
    rng = np.random.default_rng(7)
    return np.array([400, 1100, 1.0]) + rng.uniform([-60, -60, -1], [60, 60, 3],
                                                    (NUM_LANDMARKS, 3))


class _Tables:
    """Collects the 13 tables."""

    def __init__(self, root: Path, version: str) -> None:
        names = ('attribute calibrated_sensor category ego_pose instance log map sample '
                 'sample_annotation sample_data scene sensor visibility')
        self.root, self.version = root, version
        self.rows: Dict[str, List[Dict[str, Any]]] = {name: [] for name in names.split()}

    def add(self, table: str, **row: Any) -> str:
        self.rows[table].append(row)
        return row['token']

    def write(self) -> None:
        folder = self.root / self.version
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.rows.items():
            (folder / f'{name}.json').write_text(json.dumps(rows))


def write_tiny_nuscenes(root: Path, *, version: str = 'v1.0-mini', keyframes: int = 3,
                        scenes: Sequence[str] = ('scene-0061', 'scene-0103')) -> Path:
    """Writes the dataset and returns its root; each scene starts 20 s after the one before."""
    tables = _Tables(root, version)
    _add_constants(tables, [token('log')])
    picture = cv2.imencode('.jpg', np.full((900, 1600, 3), 90, np.uint8))[1].tobytes()
    (root / 'maps').mkdir(parents=True, exist_ok=True)
    (root / 'maps' / 'map.png').write_bytes(cv2.imencode('.png', np.zeros((4, 4), np.uint8))[1])
    for number, name in enumerate(scenes):
        _add_scene(tables, name, 1_532_402_900_000_000 + number * 20_000_000, keyframes, picture)
    tables.write()
    return root


def _add_constants(tables: _Tables, log_tokens: List[str]) -> None:
    tables.add('map', token=token('map'), log_tokens=log_tokens, category='semantic_prior',
               filename='maps/map.png')
    tables.add('log', token=log_tokens[0], logfile='n000', vehicle='n000',
               date_captured='2018-07-24', location='singapore-onenorth')
    for level, name in enumerate(('v0-40', 'v40-60', 'v60-80', 'v80-100'), start=1):
        tables.add('visibility', token=str(level), level=name, description='')
    for category in sorted({category for _, category, *_ in OBJECTS}):
        tables.add('category', token=token(category), name=category, description='')
    for attribute in sorted({attribute for *_, attribute in OBJECTS} - {''}):
        tables.add('attribute', token=token(attribute), name=attribute, description='')
    for channel in (*CAMERA_HEADINGS_DEG, 'LIDAR_TOP'):
        tables.add('sensor', token=token(channel), channel=channel,
                   modality='lidar' if channel == 'LIDAR_TOP' else 'camera')


def _add_scene(tables: _Tables, name: str, start_us: int, keyframes: int, picture: bytes) -> None:
    times_us = [start_us + index * KEYFRAME_US for index in range(keyframes)]
    samples = [token(name, 'sample', time_us) for time_us in times_us]
    tables.add('scene', token=token(name), log_token=token('log'), nbr_samples=keyframes,
               first_sample_token=samples[0], last_sample_token=samples[-1], name=name,
               description='')
    for index, (sample, time_us) in enumerate(zip(samples, times_us)):
        tables.add('sample', token=sample, timestamp=time_us, scene_token=token(name),
                   prev=samples[index - 1] if index else '',
                   next=samples[index + 1] if index + 1 < keyframes else '')
    for channel, heading in CAMERA_HEADINGS_DEG.items():
        rotation = (Quaternion(axis=[0, 0, 1], degrees=heading)
                    * Quaternion(0.5, -0.5, 0.5, -0.5))
        _add_calibration(tables, name, channel, [1.5, 0.1, 1.5], rotation,
                         [[1266.0, 0.0, 816.0], [0.0, 1266.0, 491.0], [0.0, 0.0, 1.0]])
        for sample, time_us in zip(samples, times_us):
            _add_sample_data(tables, name, channel, time_us + CAMERA_OFFSET_US, sample, picture)
    _add_calibration(tables, name, 'LIDAR_TOP', *LIDAR_MOUNT, [])
    _add_lidar(tables, name, samples, times_us)
    _add_annotations(tables, name, samples, times_us)


def _add_lidar(tables: _Tables, name: str, samples: List[str], times_us: List[int]) -> None:
    all_us = list(range(times_us[0], times_us[-1] + 1, SWEEP_US))
    for index, time_us in enumerate(all_us):
        is_key = time_us in times_us
        sample = samples[-(-(time_us - times_us[0]) // KEYFRAME_US)]
        neighbours = {
            'prev': token(name, 'LIDAR_TOP', all_us[index - 1]) if index else '',
            'next': token(name, 'LIDAR_TOP', all_us[index + 1]) if index + 1 < len(all_us) else ''}
        _add_sample_data(tables, name, 'LIDAR_TOP', time_us, sample, lidar_bytes(time_us),
                         is_key=is_key, **neighbours)


def lidar_bytes(time_us: int) -> bytes:
    """The landmarks in the LiDAR frame of a time, then returns from the car itself."""
    position_m, rotation = ego_pose(time_us)
    in_ego_m = (landmarks_global_m() - position_m) @ rotation.rotation_matrix
    in_lidar_m = (in_ego_m - LIDAR_MOUNT[0]) @ LIDAR_MOUNT[1].rotation_matrix
    close_m = np.array([[0.5, 0.2, -0.5], [-0.9, 0.9, 0.0], [0.0, -0.3, -1.5]])
    points_m = np.concatenate([in_lidar_m, close_m])
    intensity = np.arange(len(points_m))
    ring = intensity % 32
    return np.column_stack([points_m, intensity, ring]).astype('<f4').tobytes()


def _add_calibration(tables: _Tables, name: str, channel: str, translation: List[float],
                     rotation: Quaternion, intrinsic: List[List[float]]) -> None:
    tables.add('calibrated_sensor', token=token(name, channel), sensor_token=token(channel),
               translation=translation, rotation=rotation.elements.tolist(),
               camera_intrinsic=intrinsic)


def _add_sample_data(tables: _Tables, name: str, channel: str, time_us: int, sample: str,
                     content: bytes, is_key: bool = True, prev: str = '', next: str = '') -> None:
    is_lidar = channel == 'LIDAR_TOP'
    filename = (f'{"samples" if is_key else "sweeps"}/{channel}/{name}__{channel}__{time_us}'
                f'{".pcd.bin" if is_lidar else ".jpg"}')
    path = tables.root / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    position_m, rotation = ego_pose(time_us)
    own = token(name, channel, time_us)
    tables.add('ego_pose', token=own, timestamp=time_us, translation=position_m.tolist(),
               rotation=rotation.elements.tolist())
    tables.add('sample_data', token=own, sample_token=sample, ego_pose_token=own,
               calibrated_sensor_token=token(name, channel), timestamp=time_us,
               fileformat='pcd' if is_lidar else 'jpg', is_key_frame=is_key,
               height=0 if is_lidar else 900, width=0 if is_lidar else 1600, filename=filename,
               prev=prev, next=next)


def _add_annotations(tables: _Tables, name: str, samples: List[str], times_us: List[int]) -> None:
    for number, (what, category, size_wlh, lidar, radar, attribute) in enumerate(OBJECTS):
        seen = list(range(len(samples)))[:1 if what == 'once' else None]
        tokens = [token(name, what, index) for index in seen]
        tables.add('instance', token=token(name, what), category_token=token(category),
                   nbr_annotations=len(seen), first_annotation_token=tokens[0],
                   last_annotation_token=tokens[-1])
        for index in seen:
            shift_m = MOVING_CAR_MPS * (times_us[index] - times_us[0]) * 1e-6
            position_m = ego_pose(times_us[0])[0] + [8 + 3 * number, 2.0 * number, size_wlh[2] / 2]
            if what == 'moving':
                position_m = position_m + [shift_m, 0, 0]
            yaw = Quaternion(axis=[0, 0, 1], radians=0.3 * number)
            tables.add('sample_annotation', token=tokens[index], sample_token=samples[index],
                       instance_token=token(name, what), visibility_token=str(number % 4 + 1),
                       attribute_tokens=[token(attribute)] if attribute else [],
                       translation=position_m.tolist(), size=size_wlh,
                       rotation=yaw.elements.tolist(),
                       prev=tokens[index - 1] if index else '',
                       next=tokens[index + 1] if index + 1 < len(seen) else '',
                       num_lidar_pts=lidar, num_radar_pts=radar)
