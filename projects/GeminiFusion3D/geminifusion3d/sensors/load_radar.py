"""Radar returns of a keyframe and the sweeps before it, of all radars, in the keyframe's LiDAR frame.

The filters are the devkit's; the delta to its `from_file_multisweep`: velocities over ground turn with the
returns, and a return of an earlier sweep is moved on by its own velocity to where it is at the keyframe.
"""
from typing import Any, Collection, Dict, List, Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints

from ..errors import UserError, check_choice
from ..modalities import RADAR, points_key
from ..radar_files import DEFAULT_STATES, RADAR_COLUMNS, RADAR_FIELDS, read_radar_file, read_radar_rows
from .load_images import ON_MISSING
from .load_points import MICROSECONDS, checked_pose

VELOCITY = [RADAR_COLUMNS.index('vx'), RADAR_COLUMNS.index('vy')]
_POSITION, _RCS, _VELOCITY = ([RADAR_FIELDS.index(name) for name in names] for names in (
    ('x', 'y', 'z'), ('rcs', ), ('vx_comp', 'vy_comp')))


@TRANSFORMS.register_module()
class GeminiLoadRadar(BaseTransform):
    """Loads the returns of all radars as LiDARPoints (N, 7) of RADAR_COLUMNS.

    Sets `radar_points`, whose `attribute_dims` name the velocity, and `lidar_aug_matrix` (identity) unless it
    is set.

    Args:
        sweeps_num: how many sweeps before the keyframe, the newest first; fewer where a scene starts.
        moves: move a return of an earlier sweep by its velocity over ground, which is known along the line of
            sight only.
        states: by field of a nuScenes file, which values are kept; None: the devkit's defaults.
        missing: what a file that is absent or damaged does: 'error', or 'mark', to give no returns; no return
            of any radar is a missing radar.
    """

    def __init__(self, *, sweeps_num: int = 5, moves: bool = True,
                 states: Optional[Dict[str, Collection[int]]] = None, missing: str = 'error') -> None:
        if sweeps_num < 0:
            raise ValueError(f'got sweeps_num={sweeps_num}; expected 0 (keyframe only) or more')
        unknown = set(states or {}) - set(RADAR_FIELDS)
        if unknown:
            raise ValueError(f'got states of {", ".join(sorted(unknown))}; expected fields of a radar file: '
                             f'{", ".join(RADAR_FIELDS)}')
        self.sweeps_num, self.moves = sweeps_num, moves
        self.states = DEFAULT_STATES if states is None else states
        self.missing = check_choice('missing', missing, ON_MISSING)

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads keyframe and sweeps.

        Args:
            results: holds `radars`: by channel a list of shots, that of the keyframe first, then the newest;
                each with `radar_path`, `timestamp_us` and `lidar_from_radar` (4x4, the keyframe's LiDAR
                coordinates from the radar's at the time of the shot), and `columns` where the path names
                plain rows, or is the rows; and `timestamp_us`.
        """
        clouds: List[np.ndarray] = [np.zeros((0, len(RADAR_COLUMNS)), np.float32)]
        for channel, shots in results['radars'].items():
            for number, shot in enumerate(shots[:self.sweeps_num + 1]):
                time_lag_s = (results['timestamp_us'] - shot['timestamp_us']) * MICROSECONDS
                rows = self.read_shot(results, channel, number, shot)
                clouds.append(placed_returns(rows, checked_pose(shot['lidar_from_radar'], _name_of(shot)),
                                             time_lag_s=time_lag_s, moves=self.moves))
        points = radar_points(torch.from_numpy(np.concatenate(clouds)))
        return {'lidar_aug_matrix': np.eye(4, dtype=np.float32), **results, points_key(RADAR): points}

    def read_shot(self, results: Dict[str, Any], channel: str, number: int, shot: Dict[str, Any]
                  ) -> np.ndarray:
        """Returns (N, 18) RADAR_FIELDS of one file, in the radar's frame.

        Args:
            results: the record of the keyframe.
            channel: which radar.
            number: 0 for the keyframe, then the sweeps, newest first.
            shot: its record.
        """
        try:
            if 'columns' in shot:
                return read_radar_rows(shot['radar_path'], shot['columns'], shot.get('crc32'))
            return read_radar_file(shot['radar_path'], self.states, shot.get('crc32'))
        except UserError as error:
            if self.missing == 'mark':
                return np.zeros((0, len(RADAR_FIELDS)), np.float32)
            raise UserError(f'{error}; check the data root, or load with missing="mark"') from error


def _name_of(shot: Dict[str, Any]) -> str:
    return shot['radar_path'] if isinstance(shot['radar_path'], str) else 'the returns of a radar'


def placed_returns(rows: np.ndarray, lidar_from_radar: np.ndarray, *, time_lag_s: float, moves: bool = True
                   ) -> np.ndarray:
    """Returns (N, 7) float32 of RADAR_COLUMNS.

    Args:
        rows: (N, 18) of RADAR_FIELDS, in the radar's frame.
        lidar_from_radar: LiDAR coordinates of the keyframe from the radar's.
        time_lag_s: how long before the keyframe the shot was; negative if after it.
        moves: move the returns by their velocity to the time of the keyframe.
    """
    rotation = lidar_from_radar[:3, :3]
    position_m = rows[:, _POSITION].astype(np.float64) @ rotation.T + lidar_from_radar[:3, 3]
    velocity_mps = rows[:, _VELOCITY].astype(np.float64) @ rotation[:2, :2].T
    if moves:
        position_m[:, :2] += velocity_mps * time_lag_s
    lag_s = np.full((len(rows), 1), time_lag_s)
    return np.hstack([position_m, rows[:, _RCS], velocity_mps, lag_s]).astype(np.float32)


def radar_points(tensor: torch.Tensor) -> LiDARPoints:
    """Returns returns in the LiDAR frame whose velocity an augmentation turns with them.

    Args:
        tensor: (N, 7) float32 of RADAR_COLUMNS.
    """
    return LiDARPoints(tensor, points_dim=len(RADAR_COLUMNS), attribute_dims=dict(velocity=VELOCITY))
