"""The facts of an info file that turn LiDAR boxes into nuScenes records, read but never executed.

See `geminifusion3d.info_file` for which files are read.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Tuple, Union

import numpy as np

from ..errors import UserError
from ..info_file import open_info_file


@dataclass(frozen=True)
class KeyFrame:
    """One sample as the results need it.

    Attributes:
        token: the nuScenes sample token.
        global_from_lidar: (4, 4) float64, LiDAR coordinates to global ones, at LiDAR time.
        ego_xy_global_m: (2,) position of the ego vehicle, from which class ranges are measured.
    """

    token: str
    global_from_lidar: np.ndarray
    ego_xy_global_m: np.ndarray


@dataclass(frozen=True)
class InfoFile:
    """One split as the results need it.

    Attributes:
        path: where it was read from, for messages.
        version: nuScenes version, e.g. v1.0-mini.
        split: name of the split, official or custom.
        frames: the samples in the order of the file: position is mmdet3d's sample_idx.
        has_annotations: whether any sample carries an object; the test split has none.
    """

    path: Path
    version: str
    split: str
    frames: Tuple[KeyFrame, ...]
    has_annotations: bool


def read_info_file(path: Union[str, Path]) -> InfoFile:
    """Reads what the results need from an info file.

    Args:
        path: of the file.

    Raises:
        UserError: if the file is absent, unreadable, or lacks a field.
    """
    records = open_info_file(path)
    try:
        frames, has_annotations = [], False
        for info in records:
            frames.append(_key_frame(info))
            has_annotations = has_annotations or bool(info['instances'])
        return InfoFile(path=Path(path), version=records.metainfo['version'], split=records.metainfo['split'],
                        frames=tuple(frames), has_annotations=has_annotations)
    except (KeyError, TypeError) as error:
        raise UserError(f'info file {path} lacks {error}; write it again with '
                        'gemini3d convert') from None


def _key_frame(info: Dict[str, Any]) -> KeyFrame:
    global_from_ego = np.asarray(info['ego2global'], dtype=np.float64)
    ego_from_lidar = np.asarray(info['lidar_points']['lidar2ego'], dtype=np.float64)
    return KeyFrame(token=info['token'], global_from_lidar=global_from_ego @ ego_from_lidar,
                    ego_xy_global_m=global_from_ego[:2, 3])
