"""What every model of the comparison learns from, for how long, and on what it is scored."""
from pathlib import Path
from typing import Any, Dict

from mmengine.config import Config

from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.info_file import open_info_file


def read_budget(config: Path) -> Dict[str, Any]:
    """Returns keyframes and scenes of both splits, and the steps of a training.

    Args:
        config: a recipe of the comparison; all share these numbers.
    """
    cfg = Config.fromfile(config)
    facts: Dict[str, Any] = {}
    for split, loader in (('train', cfg.train_dataloader), ('val', cfg.test_dataloader)):
        path = Path(loader.dataset.data_root) / loader.dataset.ann_file
        frames = open_info_file(path)
        facts[f'{split}_keyframes'] = len(frames)
        facts[f'{split}_scenes'] = len({frame['scene_token'] for frame in frames})
    batch_size = cfg.train_dataloader.batch_size
    facts['steps'] = facts['train_keyframes'] // batch_size * cfg.train_cfg.max_epochs
    return facts
