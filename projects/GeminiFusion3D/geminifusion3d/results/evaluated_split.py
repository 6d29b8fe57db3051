"""Which split an evaluation scores: dataset and metric read one info file, and a flag names another.

An info file is of one split, so that `--split mini_train` means `geminifusion3d_infos_mini_train.pkl` beside
the one that the recipe names; custom splits of a splits.json have files of the same form.
"""
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config

from ..errors import UserError
from ..info_file import existing_info_file, info_file_name

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
