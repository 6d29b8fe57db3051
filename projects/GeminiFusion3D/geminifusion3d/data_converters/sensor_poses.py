"""Where the sensors of one scene were at each shot, all computed at once, in float64.

A pose is asked for by the token of a row of the sample_data table, which stands for one shot.
"""
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from nuscenes.nuscenes import NuScenes

from ..geometry.frames import invert_pose, pose
from .nuscenes_tables import get_row

Matrix = List[List[float]]
# A quaternion is written with some six digits; positions lie in maps of some kilometres.
UNIT_TOLERANCE, FARTHEST_M = 0.01, 1e7


class SensorPoses:
    """The poses of many shots.

    Args:
        nusc: the opened tables.
        shots: rows of the sample_data table.
    """

    def __init__(self, nusc: NuScenes, shots: Sequence[Dict[str, Any]]) -> None:
        self._index = {shot['token']: index for index, shot in enumerate(shots)}
        # Between two sensors' shots the car drives on: each has an ego pose of its own time.
        global_from_ego, is_sound_ego = sound_poses(
            [get_row(nusc, 'ego_pose', shot['ego_pose_token']) for shot in shots])
        mounts = list(dict.fromkeys(shot['calibrated_sensor_token'] for shot in shots))
        number_of = {token: number for number, token in enumerate(mounts)}
        ego_from_mount, is_sound_mount = sound_poses(
            [get_row(nusc, 'calibrated_sensor', token) for token in mounts])
        self._mount = [number_of[shot['calibrated_sensor_token']] for shot in shots]
        self._is_sound = is_sound_ego & is_sound_mount[self._mount]
        self._global_from_sensor = global_from_ego @ ego_from_mount[self._mount]
        self._sensor_from_global = invert_pose(self._global_from_sensor)
        self._ego_from_mount_lists = ego_from_mount.tolist()
        self._global_from_ego_lists = global_from_ego.tolist()

    def is_sound(self, token: str) -> bool:
        """Says whether the tables know where a shot's sensor was."""
        return bool(self._is_sound[self._index[token]])

    def ego_from_sensor(self, token: str) -> Matrix:
        """Returns the mounting of a shot's sensor as nested lists, which shots of a sensor share."""
        return self._ego_from_mount_lists[self._mount[self._index[token]]]

    def global_from_ego(self, token: str) -> Matrix:
        """Returns the pose of the car at a shot as nested lists."""
        return self._global_from_ego_lists[self._index[token]]

    def global_from_sensors(self, tokens: Sequence[str]) -> np.ndarray:
        """Returns the poses (N, 4, 4) of the sensors at some shots."""
        return self._global_from_sensor[[self._index[token] for token in tokens]]

    def sensors_from_sensor(self, tokens: Sequence[str], source: str) -> List[Matrix]:
        """Returns what takes one sensor's coordinates to those of others, at their own times.

        Args:
            tokens: shots of the other sensors.
            source: shot of the one sensor.
        """
        sensors_from_global = self._sensor_from_global[[self._index[token] for token in tokens]]
        return (sensors_from_global @ self._global_from_sensor[self._index[source]]).tolist()


def sound_poses(rows: Sequence[Dict[str, Any]]) -> Tuple[np.ndarray, np.ndarray]:
    """Returns the poses (N, 4, 4) of rows with rotation and translation, and which of them are poses.

    What is no unit quaternion or no finite place gives the identity.
    """
    quats, are_rotations = sound_numbers([row['rotation'] for row in rows], 4)
    places_m, are_places = sound_numbers([row['translation'] for row in rows], 3)
    is_sound = (are_rotations & are_places & (np.abs(np.linalg.norm(quats, axis=1) - 1) < UNIT_TOLERANCE)
                & (np.abs(places_m) < FARTHEST_M).all(axis=1))
    quats[~is_sound], places_m[~is_sound] = (1, 0, 0, 0), 0
    return pose(quats, places_m), is_sound


def sound_numbers(values: Sequence[Any], width: int) -> Tuple[np.ndarray, np.ndarray]:
    """Returns rows (N, width) of numbers, and which of them are `width` finite numbers; others are zeros."""
    try:
        numbers = np.array(values, dtype=np.float64).reshape(len(values), width)
    except (ValueError, TypeError):
        numbers = np.array([value if _are_numbers(value, width) else [np.nan] * width for value in values],
                           dtype=np.float64)
    is_sound = np.isfinite(numbers).all(axis=1)
    return np.where(is_sound[:, None], numbers, 0.0), is_sound


def _are_numbers(value: Any, width: int) -> bool:
    return (isinstance(value, (list, tuple)) and len(value) == width
            and all(isinstance(number, (int, float)) for number in value))
