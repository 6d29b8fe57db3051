"""Which split an evaluation scores: dataset and metric read one info file, and a flag names another.

An info file is of one split, so that `--split mini_train` means `geminifusion3d_infos_mini_train.pkl` beside
the one that the recipe names; custom splits of a splits.json have files of the same form.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np
from mmengine.config import Config

from ..errors import UserError
from ..info_file import existing_info_file, info_file_name, open_info_file


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
        raise UserError(f'info file {path} lacks {error}; write it again with gemini3d convert') from None


def _key_frame(info: Dict[str, Any]) -> KeyFrame:
    global_from_ego = np.asarray(info['ego2global'], dtype=np.float64)
    ego_from_lidar = np.asarray(info['lidar_points']['lidar2ego'], dtype=np.float64)
    return KeyFrame(token=info['token'], global_from_lidar=global_from_ego @ ego_from_lidar,
                    ego_xy_global_m=global_from_ego[:2, 3])


# What a short name means for the mini version, which has neither `val` nor `train`.
MINI_SPLITS = {'val': 'mini_val', 'train': 'mini_train'}


def info_file_of_split(configured: Path, split: str) -> Path:
    """Returns the info file of a split, beside the one that a config names.

    Args:
        configured: info file of any split.
        split: exact name; `val` and `train` mean mini_val and mini_train beside a file of mini.

    Raises:
        UserError: if the split was not converted, or its name is none.
    """
    if Path(split).name != split:
        raise UserError(f'got the split {split!r}; expected a name, such as val or mini_train')
    names: List[str] = [split] if split not in MINI_SPLITS else [split, MINI_SPLITS[split]]
    if '_mini_' in configured.stem:
        names.reverse()
    candidates = [configured.parent / info_file_name(name) for name in names]
    found = next((path for path in map(existing_info_file, candidates) if path.is_file()), None)
    if found is None:
        raise UserError(f'split {split!r} has no info file {candidates[0]}; write it with '
                        f'gemini3d convert --split {names[0]}, or name another split')
    return found


def choose_split(cfg: Config, split: Optional[str]) -> None:
    """Makes a test run read and score another split."""
    if split is None:
        return
    dataset = cfg.test_dataloader.dataset
    configured = Path(dataset.get('data_root') or '.') / dataset.ann_file
    found = info_file_of_split(configured, split)
    name = str(Path(dataset.ann_file).with_name(found.name))
    dataset.ann_file = name
    for evaluator in _evaluators(cfg, 'test_evaluator'):
        evaluator['ann_file'] = name


def check_same_info_file(cfg: Config, stage: str) -> None:
    """Makes sure that what is predicted is what is scored, before anything is computed.

    Args:
        cfg: the config.
        stage: 'val' or 'test'; one without a data loader is skipped.

    Raises:
        UserError: if data loader and evaluator name different info files.
    """
    dataset = (cfg.get(f'{stage}_dataloader') or {}).get('dataset')
    while isinstance(dataset, dict) and 'ann_file' not in dataset:
        dataset = dataset.get('dataset')
    if not isinstance(dataset, dict):
        return
    read = _info_file(dataset)
    for evaluator in _evaluators(cfg, f'{stage}_evaluator'):
        scored = _info_file(evaluator)
        if scored.resolve() != read.resolve():
            raise UserError(f'{stage}_dataloader reads {read}, {stage}_evaluator scores {scored}; expected '
                            'the same info file: gemini3d test --split NAME changes both')


def _evaluators(cfg: Config, name: str) -> List[Dict[str, Any]]:
    """Returns the metrics that read an info file."""
    listed = cfg.get(name) or []
    listed = listed if isinstance(listed, (list, tuple)) else [listed]
    return [one for one in listed if isinstance(one, dict) and 'ann_file' in one]


def _info_file(node: Mapping[str, Any]) -> Path:
    return Path(node.get('data_root') or '.') / node['ann_file']
