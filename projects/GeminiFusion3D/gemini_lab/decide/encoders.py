"""Stage one: both encoders and alignments are trained without a fuser, and their maps are stored.

Of each training sample the head sees one sensor's map, drawn at random: modality dropout in its strictest
form, which favours no fuser. It is drawn behind the encoders, whose norms would else count black pictures
and empty clouds. What is stored of a keyframe are the aligned maps in float16, from which every fuser starts.
"""
import copy
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor

from geminifusion3d.atomic import atomic_write
from geminifusion3d.detector import GeminiFusion3D
from geminifusion3d.engine.config_file import apply_seed
from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.fusion.two_maps import FusedBEV
from geminifusion3d.modalities import LIDAR

from .conditions import CLEAN, CONDITIONS, SENSORS, under_condition

TRAINING_FOLDER = 'encoders'
BOXES_FILE = 'boxes.npz'


@MODELS.register_module()
class OneSensorDetector(GeminiFusion3D):
    """The detector of stage one; its arguments are the detector's.

    Of each training sample one map, drawn at random, goes on; in evaluation mode the fuser does what it does.
    """

    def fuse(self, maps: Sequence[Float[Tensor, 'b c y x']], is_present: Optional[Bool[Tensor, 'b n']] = None
             ) -> FusedBEV:
        """Returns one map of each sample in training.

        Args:
            maps: aligned, in the order of `sensors`.
            is_present: as in the detector.
        """
        if not self.training:
            return super().fuse(maps, is_present)
        stacked = torch.stack(list(maps))
        shown = torch.randint(len(maps), (stacked.shape[1], ), device=stacked.device)
        return FusedBEV(stacked[shown, torch.arange(len(shown), device=stacked.device)], {})

    def aligned_map(self, sensor: str, inputs: Dict[str, Any], metas: Sequence[Dict[str, Any]]
                    ) -> Float[Tensor, 'b c y x']:
        """Returns what a sensor's encoder and alignment make of a batch, of an empty cloud too.

        Args:
            sensor: its name.
            inputs: of the batch, preprocessed.
            metas: of its samples.
        """
        if sensor != LIDAR:
            return self._see(inputs, metas).bev
        branch, align = self.parts_of(sensor)
        points = inputs['points']
        return align(branch(points), torch.ones(len(points), dtype=torch.bool, device=points[0].device))


def train_encoders(cfg: Config, seed: int, folder: Path) -> OneSensorDetector:
    """Trains what is left to train; returns the model in evaluation mode.

    Args:
        cfg: the recipe; left as it is.
        seed: of everything random.
        folder: of the training.
    """
    cfg = copy.deepcopy(cfg)
    apply_seed(cfg, seed)
    cfg.model.type = OneSensorDetector.__name__
    cfg.work_dir, cfg.resume, cfg.experiment_name = str(folder), True, f'encoders_{seed}'
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    # Of a training that has ended the runner loads the last checkpoint.
    return cast(OneSensorDetector, GeminiRunner.from_cfg(cfg).train()).eval()


class StoredMaps:
    """Aligned maps of the samples of one split in one folder: a .npy file for each condition and sensor.

    Args:
        folder: where they lie.
        condition: a name of CONDITIONS.
    """

    def __init__(self, folder: Path, condition: str = CLEAN) -> None:
        changed = CONDITIONS[condition].changed
        self.absent = [sensor in CONDITIONS[condition].absent for sensor in SENSORS]
        files = [map_file(folder, condition if sensor in changed else CLEAN, sensor) for sensor in SENSORS]
        self.arrays = [np.load(file, mmap_mode='r') for file in files]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def batch(self, indices: Sequence[int]) -> List[Float[Tensor, 'b c y x']]:
        """Returns the maps of some samples in float32, in the order of SENSORS."""
        return [torch.from_numpy(array[list(indices)].astype(np.float32)) for array in self.arrays]


def map_file(folder: Path, condition: str, sensor: str) -> Path:
    """Returns where a sensor's maps of a split lie."""
    return folder / f'{condition}.{sensor}.npy'


def store_training(model: OneSensorDetector, cfg: Config, folder: Path, *, copies: int) -> None:
    """Stores maps and boxes of several augmented copies of each training keyframe.

    Args:
        model: of stage one.
        cfg: the recipe.
        folder: for the files.
        copies: how many.
    """
    dataset = DATASETS.build(cfg.train_dataloader.dataset)

    def samples() -> Iterator[Dict[str, Any]]:
        for copy_number in range(copies):
            dataset.set_epoch(copy_number)
            yield from (dataset[index] for index in range(len(dataset)))

    truth: List[InstanceData] = []

    def watched() -> Iterator[Dict[str, Any]]:
        for sample in samples():
            truth.append(sample['data_samples'].gt_instances_3d)
            yield sample
    _store(model, watched(), copies * len(dataset), folder, CLEAN, SENSORS)
    with atomic_write(folder / BOXES_FILE) as part, part.open('wb') as file:
        np.savez(file, boxes=torch.cat([one.bboxes_3d.tensor for one in truth]).numpy(),
                 labels=torch.cat([one.labels_3d for one in truth]).numpy(),
                 counts=[len(one.labels_3d) for one in truth])


def store_split(model: OneSensorDetector, cfg: Config, folder: Path, conditions: Sequence[str]) -> None:
    """Stores maps of an evaluated split under conditions: of each what it changes.

    Args:
        model: of stage one.
        cfg: the recipe whose test data the split is.
        folder: for the files.
        conditions: names of CONDITIONS.
    """
    for name in conditions:
        changed = CONDITIONS[name].changed
        if changed and not all(map_file(folder, name, sensor).is_file() for sensor in changed):
            dataset = DATASETS.build(under_condition(cfg, name).test_dataloader.dataset)
            samples = (dataset[index] for index in range(len(dataset)))
            _store(model, samples, len(dataset), folder, name, changed)


@torch.inference_mode()
def _store(model: OneSensorDetector, samples: Iterator[Dict[str, Any]], number: int, folder: Path,
           condition: str, sensors: Sequence[str]) -> None:
    arrays: Dict[str, np.ndarray] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for index, sample in enumerate(samples):
        data = model.data_preprocessor(pseudo_collate([sample]), False)
        metas = [one.metainfo for one in data['data_samples']]
        for sensor in sensors:
            bev = model.aligned_map(sensor, data['inputs'], metas)[0].half().cpu().numpy()
            arrays.setdefault(sensor, np.empty((number, *bev.shape), np.float16))[index] = bev
    for sensor, array in arrays.items():
        with atomic_write(map_file(folder, condition, sensor)) as part, part.open('wb') as file:
            np.save(file, array)


def read_boxes(folder: Path) -> List[InstanceData]:
    """Returns the boxes of the stored training samples."""
    with np.load(folder / BOXES_FILE) as kept:
        ends = np.cumsum(kept['counts'])[:-1]
        return [InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.from_numpy(boxes), box_dim=boxes.shape[1]),
                             labels_3d=torch.from_numpy(labels))
                for boxes, labels in zip(np.split(kept['boxes'], ends), np.split(kept['labels'], ends))]
