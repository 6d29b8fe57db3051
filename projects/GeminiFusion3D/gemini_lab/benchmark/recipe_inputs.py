"""Where `benchmark model` takes its samples from: the recipe's dataset, or one made up in its shape."""
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from geminifusion3d.results.evaluated_split import KeyFrame, read_info_file

from ..cost.typical_batch import make_typical_batch

MADE_UP = ('one made-up sample of the recipe\'s shape: random images, a made-up cloud of ten sweeps in a '
           'street; nothing was read from files')


class FileInputs:
    """Samples of a recipe's dataset, read from its files each time.

    Args:
        dataset: the dataset's config.
        batch_size: samples per batch.
        frames: how many of the dataset's first samples take turns.
    """

    def __init__(self, *, dataset: Dict[str, Any], batch_size: int, frames: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.batch_size, self.count = batch_size, min(frames, len(self.dataset))
        self.keyframes = read_info_file(_info_file(dataset)).frames
        self.words = f'{self.count} keyframes of {_info_file(dataset)}'

    def load(self, turn: int) -> List[Any]:
        """Reads and augments the samples of a batch."""
        return [self.dataset[(turn * self.batch_size + i) % self.count] for i in range(self.batch_size)]

    def collate(self, samples: List[Any]) -> Dict[str, Any]:
        """Puts samples together as the data loader does."""
        return pseudo_collate(samples)

    def keyframe(self, sample: Any) -> KeyFrame:
        """Returns the key frame of a prediction."""
        return self.keyframes[sample.metainfo['sample_idx']]


class MadeUpInputs:
    """One sample of the recipe's shape, made once.

    Args:
        cfg: the recipe.
        batch_size: samples per batch.
    """

    words = MADE_UP

    def __init__(self, *, cfg: Config, batch_size: int) -> None:
        self.batch = make_typical_batch(cfg)
        self.batch_size = batch_size

    def load(self, turn: int) -> List[Any]:
        """Returns the sample, as often as a batch needs it."""
        return [self.batch] * self.batch_size

    def collate(self, samples: List[Any]) -> Dict[str, Any]:
        """Puts samples together, without sharing what a model may write to."""
        inputs = {key: [value.clone() for sample in samples for value in sample['inputs'][key]]
                  for key in samples[0]['inputs']}
        return dict(inputs=inputs, data_samples=[one.clone() for sample in samples
                                                 for one in sample['data_samples']])

    def keyframe(self, sample: Any) -> KeyFrame:
        """Returns a key frame at the origin."""
        return KeyFrame(token='typical', global_from_lidar=np.eye(4), ego_xy_global_m=np.zeros(2))


def make_inputs(cfg: Config, loader: str, *, batch_size: int, frames: int) -> Any:
    """Returns the samples of a data loader where its dataset is there, else made-up ones."""
    dataset = cfg[loader].dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    if _info_file(dataset).is_file():
        return FileInputs(dataset=dataset, batch_size=batch_size, frames=frames)
    return MadeUpInputs(cfg=cfg, batch_size=batch_size)


def _info_file(dataset: Dict[str, Any]) -> Path:
    root: Optional[str] = dataset.get('data_root')
    return Path(root or '.') / dataset['ann_file']
