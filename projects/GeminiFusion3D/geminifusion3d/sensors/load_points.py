"""LiDAR points of a keyframe and the sweeps before it, all in the keyframe's LiDAR frame.

Replaces mmdet3d v1.4.0 `LoadPointsFromFile` and `LoadPointsFromMultiSweeps`. The delta: a sweep is
moved by the inverse of `lidar2sensor` (the formula of mmdet3d, `p @ R - t`, is right only while the car does
not turn), always the newest sweeps are taken (mmdet3d draws some at random, in testing too), and, unless
`convention` asks for mmdet3d's way, close returns are removed from the keyframe as well, as the devkit does,
and no sweep is made up where a scene starts. A file that cannot be read is an error, or, on request, adds no
points. Where a record holds the check sum of a file, it is verified.
"""
import logging
from typing import Any, Dict, List, Optional, Sequence, Set

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.datasets.transforms import PointsRangeFilter
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints, LiDARPoints
from mmengine.logging import print_log

from ..errors import UserError, check_choice
from ..geometry.frames import invert_pose
from ..nuscenes_facts import LIDAR_COLUMNS
from ..point_files import (FARTHEST_M, MANY_ROWS, in_nuscenes_columns, odd_intensities, other_columns,
                           read_point_file, without_absurd)
from .load_images import ON_MISSING

FLOATS_PER_POINT = len(LIDAR_COLUMNS)
NUM_FEATURES = 5  # x, y, z, intensity, time lag
CONVENTIONS = ('devkit', 'mmdet3d')
MICROSECONDS = 1e-6
# Of the points of a sample; a LiDAR in another frame has fewer in the range of a grid.
LEAST_IN_RANGE = 0.05
FRAME_ADVICE = "are they in the LiDAR's frame, x and y level, z up, its origin at the sensor?"
_said: Set[str] = set()


@TRANSFORMS.register_module()
class GeminiLoadPoints(BaseTransform):
    """Loads LiDARPoints (N, 5): x, y, z in metres, intensity 0..255, seconds before the keyframe.

    Sets `points`, `num_points_dropped` (rows that are not finite or that no LiDAR measures), and
    `lidar_aug_matrix` (identity) unless it is set.

    Args:
        sweeps_num: how many sweeps before the keyframe, the newest first; fewer where a scene
            starts.
        sweep_step: from how many of these one is read, the oldest: fewer points, and motion as visible.
        remove_close_m: returns with |x| and |y| below this, in their own sweep's frame, are the
            car itself.
        missing: what a file that is absent or damaged does: 'error', or 'mark', to give no points;
            an empty cloud is a missing LiDAR.
        convention: 'devkit', or 'mmdet3d' for weights that learned its points: close returns of the keyframe
            stay, and a keyframe without sweeps is followed by `sweeps_num` copies of itself without them.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(self, *, sweeps_num: int = 9, sweep_step: int = 1, remove_close_m: float = 1.0,
                 missing: str = 'error', convention: str = 'devkit') -> None:
        if sweeps_num < 0:
            raise ValueError(f'got sweeps_num={sweeps_num}; expected 0 (keyframe only) or more')
        if sweep_step < 1 or sweeps_num % sweep_step:
            raise ValueError(f'got sweep_step={sweep_step} and sweeps_num={sweeps_num}, of which the last '
                             'would not be read; expected 1 (every sweep) or more, and a multiple of it')
        self.is_as_mmdet3d = check_choice('convention', convention, CONVENTIONS) == 'mmdet3d'
        self.sweeps_num, self.sweep_step = sweeps_num, sweep_step
        self.remove_close_m = remove_close_m
        self.missing = check_choice('missing', missing, ON_MISSING)
        self._num_dropped = 0

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads keyframe and sweeps.

        Args:
            results: holds `lidar_points` (`lidar_path`; `columns` unless they are nuScenes') and, where there
                are sweeps, `lidar_sweeps` (newest first) and `timestamp_us`; in place of a path may stand
                the rows themselves.
        """
        self._num_dropped = 0
        keyframe = self.read_sweep(results, 0, results['lidar_points']['lidar_path'])
        sweeps = list(enumerate(results.get('lidar_sweeps', [])[:self.sweeps_num], start=1))[
            self.sweep_step - 1::self.sweep_step]
        clouds, places = [self._without_close(keyframe)], [place_matrix(np.eye(4), time_lag_s=0.0)]
        if self.is_as_mmdet3d:
            copies = 0 if sweeps else self.sweeps_num // self.sweep_step
            clouds = [keyframe.astype(np.float32), *(clouds[0].copy() for _ in range(copies))]
            places *= 1 + copies
        for number, sweep in sweeps:
            path = sweep['lidar_points']['lidar_path']
            keyframe_from_sweep = invert_pose(checked_pose(sweep['lidar_points']['lidar2sensor'], path))
            time_lag_s = (results['timestamp_us'] - sweep['timestamp_us']) * MICROSECONDS
            cloud = self.read_sweep(results, number, path)
            clouds.append(self._without_close(cloud))
            places.append(place_matrix(keyframe_from_sweep, time_lag_s=time_lag_s))
        points = lidar_points(_placed(clouds, places))
        return {'lidar_aug_matrix': np.eye(4, dtype=np.float32), **results, 'points': points,
                'num_points_dropped': self._num_dropped}

    def read_sweep(self, results: Dict[str, Any], number: int, path: str) -> np.ndarray:
        """Returns (N, 5) x, y, z, intensity, ring of one file, in its own sensor's frame.

        Args:
            results: the record of the keyframe.
            number: 0 for the keyframe, then the sweeps, newest first.
            path: the file.
        """
        of_file = results['lidar_sweeps'][number - 1]['lidar_points'] if number else results['lidar_points']
        return self._read(path, results['lidar_points'].get('columns', LIDAR_COLUMNS), of_file.get('crc32'))

    def _without_close(self, cloud: np.ndarray) -> np.ndarray:
        """Returns (n, 5) float32, a copy, without the returns from the car itself."""
        is_close = ((np.abs(cloud[:, 0]) < self.remove_close_m) & (np.abs(cloud[:, 1]) < self.remove_close_m))
        return np.compress(~is_close, cloud, axis=0).astype(np.float32, copy=False)

    def _read(self, path: Any, columns: Sequence[str], crc32: Optional[int]) -> np.ndarray:
        """Reads one file, empty where it is missing and may be; drops rows that no LiDAR measures."""
        if path is None:
            return np.zeros((0, FLOATS_PER_POINT), np.float32)
        try:
            rows = read_point_file(path, columns, crc32)
        except UserError as error:
            if self.missing == 'mark':
                return np.zeros((0, FLOATS_PER_POINT), np.float32)
            raise UserError(f'{error}; check the data root; gemini3d convert --read-all names '
                            'all damaged files') from error
        sound, num_dropped = without_absurd(rows, columns)
        name = path if isinstance(path, str) else 'points in memory'
        num_finite = int(np.isfinite(rows).all(axis=1).sum()) if num_dropped else 0
        problem = other_columns(sound, columns, num_finite - len(sound))
        if problem:
            raise UserError(f'{name} cannot have the columns {", ".join(columns)}: {problem}; declare what '
                            'it holds, coordinates in metres')
        if num_dropped:
            self._num_dropped += num_dropped
            _say_once('dropped', f'{name}: {num_dropped} of {len(rows)} points dropped: not finite, farther '
                      f'than {FARTHEST_M:.0f} m or too strong; num_points_dropped counts them for each '
                      'sample, further files are not named')
        scale = odd_intensities(sound, columns)
        if scale:
            _say_once('scale', f'{name} has intensities {scale}; expected 0 to 255, which the recipes and '
                      'trained weights know; further files are not named')
        return in_nuscenes_columns(sound, columns)


def _say_once(kind: str, text: str) -> None:
    """Names the first file of a process; a sensor that writes such rows writes them into every file."""
    if kind not in _said:
        _said.add(kind)
        print_log(text, 'current', logging.WARNING)


def checked_pose(matrix: Any, path: Any) -> np.ndarray:
    """Returns the pose of a sweep as (4, 4) float64.

    Args:
        matrix: what the record says.
        path: the sweep, for messages.

    Raises:
        UserError: if it is no pose.
    """
    pose = np.asarray(matrix, dtype=np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise UserError(f'the pose of the sweep {path} is no 4x4 matrix of finite numbers; convert the '
                        'dataset again, which leaves such sweeps out')
    return pose


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


@TRANSFORMS.register_module()
class GeminiPointsRangeFilter(PointsRangeFilter):
    """Keeps the same points as mmdet3d's filter; whole columns are compared and kept rows copied once.

    Args:
        point_cloud_range: x, y, z from and x, y, z to, in metres; points on the border are dropped.
    """

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Drops points.

        Args:
            results: holds `points`.
        """
        points = results['points']
        rows = points.tensor.numpy()
        columns = np.ascontiguousarray(rows[:, :3].T)
        low_m, high_m = self.pcd_range.reshape(2, 3, 1)
        is_kept = ((columns > low_m) & (columns < high_m)).all(axis=0)
        if len(rows) >= MANY_ROWS and is_kept.sum() < LEAST_IN_RANGE * len(rows):
            _say_once('range', f'a sample has {is_kept.sum()} of {len(rows)} points in the range '
                      f'{self.pcd_range.tolist()} m; {FRAME_ADVICE}; further samples are not named')
        kept = torch.from_numpy(np.compress(is_kept, rows, axis=0))
        return {**results, 'points': with_tensor(points, kept)}


def lidar_points(tensor: torch.Tensor) -> LiDARPoints:
    """Returns LiDARPoints that hold a tensor itself, which mmdet3d's constructor copies.

    Args:
        tensor: (N, C) float32; x, y, z first.
    """
    return with_tensor(LiDARPoints(tensor[:0], points_dim=tensor.shape[1]), tensor)


def with_tensor(points: BasePoints, tensor: torch.Tensor) -> BasePoints:
    """Returns points of the same kind that hold another tensor itself.

    Args:
        points: left as they are.
        tensor: (N, C) float32, of as many columns.
    """
    others = points.new_point(tensor[:0])
    others.tensor = tensor
    return others
