"""LiDAR points of a keyframe and the sweeps before it, all in the keyframe's LiDAR frame.

Replaces mmdet3d v1.4.0 `LoadPointsFromFile` and `LoadPointsFromMultiSweeps`. The delta: a sweep is
moved by the inverse of `lidar2sensor` (the host's `p @ R - t` is right only while the car does not
turn), always the newest sweeps are taken (the host draws some at random, in testing too), and
close returns are removed from the keyframe as well, as the devkit does. A file that cannot be read
is an error, or, on request, adds no points.
"""
from typing import Any, Dict, List

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..errors import UserError
from ..geometry.frames import invert_pose
from .load_images import check_on_missing
from .point_tensor import lidar_points

FLOATS_PER_POINT = 5  # x, y, z, intensity, ring
NUM_FEATURES = 5  # x, y, z, intensity, time lag
MICROSECONDS = 1e-6


@TRANSFORMS.register_module()
class GeminiLoadPoints(BaseTransform):
    """Loads LiDARPoints (N, 5): x, y, z in metres, intensity 0..255, seconds before the keyframe.

    Sets `points`, and `lidar_aug_matrix` (identity) unless it is set.

    Args:
        sweeps_num: how many sweeps before the keyframe, the newest first; fewer where a scene
            starts.
        remove_close_m: returns with |x| and |y| below this, in their own sweep's frame, are the
            car itself.
        missing: what a file that is absent or damaged does: 'error', or 'mark', to give no points;
            an empty cloud is a missing LiDAR.
    """

    def __init__(self, *, sweeps_num: int = 9, remove_close_m: float = 1.0,
                 missing: str = 'error') -> None:
        if sweeps_num < 0:
            raise ValueError(f'got sweeps_num={sweeps_num}; expected 0 (keyframe only) or more')
        self.sweeps_num = sweeps_num
        self.remove_close_m = remove_close_m
        self.missing = check_on_missing(missing)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads keyframe and sweeps.

        Args:
            results: holds `lidar_points`, `lidar_sweeps` (newest first) and `timestamp_us`.
        """
        keyframe = self.read_sweep(results, 0, results['lidar_points']['lidar_path'])
        clouds, places = [self._without_close(keyframe)], [place_matrix(np.eye(4), time_lag_s=0.0)]
        for number, sweep in enumerate(results['lidar_sweeps'][:self.sweeps_num], start=1):
            keyframe_from_sweep = invert_pose(np.asarray(sweep['lidar_points']['lidar2sensor']))
            time_lag_s = (results['timestamp_us'] - sweep['timestamp_us']) * MICROSECONDS
            cloud = self.read_sweep(results, number, sweep['lidar_points']['lidar_path'])
            clouds.append(self._without_close(cloud))
            places.append(place_matrix(keyframe_from_sweep, time_lag_s=time_lag_s))
        points = lidar_points(_placed(clouds, places))
        return {'lidar_aug_matrix': np.eye(4, dtype=np.float32), **results, 'points': points}

    def read_sweep(self, results: Dict[str, Any], number: int, path: str) -> np.ndarray:
        """Returns (N, 5) x, y, z, intensity, ring of one file, in its own sensor's frame.

        Args:
            results: the record of the keyframe.
            number: 0 for the keyframe, then the sweeps, newest first.
            path: the file.
        """
        return self._read(path)

    def _without_close(self, cloud: np.ndarray) -> np.ndarray:
        """Returns (n, 5) float32, a copy, without the returns from the car itself."""
        is_close = ((np.abs(cloud[:, 0]) < self.remove_close_m)
                    & (np.abs(cloud[:, 1]) < self.remove_close_m))
        return np.compress(~is_close, cloud, axis=0).astype(np.float32, copy=False)

    def _read(self, path: str) -> np.ndarray:
        """Reads one file as it is; no points where it is missing and may be."""
        try:
            values, problem = np.fromfile(path, dtype='<f4'), None
        except OSError as error:
            values, problem = np.zeros(0, dtype='<f4'), f'cannot be read ({error.strerror})'
        if values.size % FLOATS_PER_POINT:
            problem = f'holds {values.size} numbers; expected a multiple of {FLOATS_PER_POINT}'
        if problem and self.missing == 'error':
            raise UserError(f'{path} {problem}; check the data root and convert the dataset again, '
                            'which names all damaged files')
        return values[:0 if problem else None].reshape(-1, FLOATS_PER_POINT)


def place_matrix(keyframe_from_sweep: np.ndarray, *, time_lag_s: float) -> np.ndarray:
    """Returns the (5, 5) float32 matrix that rows x, y, z, intensity, 1 are multiplied with.

    It gives x, y, z in the keyframe's frame, the intensity as it is and the time lag.
    """
    matrix = np.zeros((FLOATS_PER_POINT, NUM_FEATURES), dtype=np.float32)
    matrix[:3, :3] = keyframe_from_sweep[:3, :3].T
    matrix[3, 3] = 1.0
    matrix[4, :3] = keyframe_from_sweep[:3, 3]
    matrix[4, 4] = time_lag_s
    return matrix


def _placed(clouds: List[np.ndarray], places: List[np.ndarray]) -> torch.Tensor:
    """Moves clouds of x, y, z, intensity, ring into one (N, 5) tensor; overwrites the rings."""
    placed = torch.empty(sum(map(len, clouds)), NUM_FEATURES)
    start = 0
    for cloud, matrix in zip(clouds, places):
        cloud[:, 4] = 1.0
        # By torch, which loading workers run on one thread each.
        torch.mm(torch.from_numpy(cloud), torch.from_numpy(matrix), out=placed[start:start + len(cloud)])
        start += len(cloud)
    return placed
