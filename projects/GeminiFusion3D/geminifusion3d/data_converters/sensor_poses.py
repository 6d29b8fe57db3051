"""Where the sensors of one scene were at each shot, all computed at once, in float64.

A pose is asked for by the token of a row of the sample_data table, which stands for one shot.
"""
from typing import Any, Dict, List, Sequence

import numpy as np
from nuscenes.nuscenes import NuScenes

from ..geometry.frames import invert_pose, pose

Matrix = List[List[float]]


class SensorPoses:
    """The poses of many shots.

    Args:
        nusc: the opened tables.
        shots: rows of the sample_data table.
    """

    def __init__(self, nusc: NuScenes, shots: Sequence[Dict[str, Any]]) -> None:
        self._index = {shot['token']: index for index, shot in enumerate(shots)}
        # Between two sensors' shots the car drives on: each has an ego pose of its own time.
        global_from_ego = _poses([nusc.get('ego_pose', shot['ego_pose_token']) for shot in shots])
        mounts = list(dict.fromkeys(shot['calibrated_sensor_token'] for shot in shots))
        number_of = {token: number for number, token in enumerate(mounts)}
        ego_from_mount = _poses([nusc.get('calibrated_sensor', token) for token in mounts])
        self._mount = [number_of[shot['calibrated_sensor_token']] for shot in shots]
        self._global_from_sensor = global_from_ego @ ego_from_mount[self._mount]
        self._sensor_from_global = invert_pose(self._global_from_sensor)
        self._ego_from_mount_lists = ego_from_mount.tolist()
        self._global_from_ego_lists = global_from_ego.tolist()

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


def _poses(rows: Sequence[Dict[str, Any]]) -> np.ndarray:
    return pose([row['rotation'] for row in rows], [row['translation'] for row in rows])
