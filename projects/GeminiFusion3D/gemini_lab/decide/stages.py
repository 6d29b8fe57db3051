"""The two stages of a run: maps are stored, then fusers learn from them.

Stage one: both encoders and alignments are trained without a fuser. Of each training sample the head sees one
sensor's map, drawn at random: modality dropout in its strictest form, which favours no fuser. It is drawn
behind the encoders, whose norms would else count black pictures and empty clouds. What is stored of a
keyframe are the aligned maps in float16, from which every fuser starts.

Stage two: a fuser, and all that follows it, learn from stored maps and are scored under every condition. Runs
of one seed share the encoders, the order of the samples, which sensors are absent in each, and how
everything behind the fuser begins.
"""
import copy
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from geminifusion3d.atomic import atomic_write
from geminifusion3d.detector import GeminiFusion3D
from geminifusion3d.engine.config_file import apply_seed
from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.engine.seed_hook import seed_everything
from geminifusion3d.fusion.two_maps import FusedBEV
from geminifusion3d.modalities import LIDAR
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.nuscenes_boxes import GlobalBoxes, to_global_boxes

from .conditions import CLEAN, CONDITIONS, SENSORS, under_condition
from .scoring import Truth, match_boxes, mean_average_precision, resampled

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


# Streams of random numbers of one seed.
MODEL, SAMPLES = 1, 2
EVALUATED_TOGETHER = 8
# What a recipe may put between the aligned maps and the BEV backbone.
FUSING = ('offset_field.', 'cell_encoding.', 'gate.', 'fuser.')
# What stage two leaves as it is.
ENCODING = ('_branch.', '_align.project.')


def build_pair(config: Mapping[str, Any], reference: Mapping[str, Any], *, seed: int) -> GeminiFusion3D:
    """Returns a model that begins as the reference does in all but its fuser.

    Args:
        config: of the model.
        reference: of the model whose numbers are taken wherever names and shapes agree.
        seed: of the initialisation.
    """
    init_default_scope('mmdet3d')
    models = []
    for one in (reference, config):
        seed_everything(seed, MODEL)
        models.append(MODELS.build(dict(one)))
        models[-1].init_weights()
    own = learned_state(models[1])
    shared = {name: values for name, values in learned_state(models[0]).items()
              if not name.startswith(FUSING) and name in own and own[name].shape == values.shape}
    models[1].load_state_dict(shared, strict=False)
    return models[1]


def learned_state(model: GeminiFusion3D) -> Dict[str, Tensor]:
    """Returns the numbers of a model without its encoders, which stage two does not change."""
    return {name: values for name, values in model.state_dict().items()
            if not any(part in name for part in ENCODING)}


def fused_maps(model: GeminiFusion3D, maps: Sequence[Float[Tensor, 'b c y x']],
               is_present: Bool[Tensor, 'b n']) -> Tuple[List[Tensor], Dict[str, Tensor]]:
    """Returns what the head reads, and the fuser's losses; stand-ins take the place of absent maps.

    Args:
        model: the detector.
        maps: aligned, in the order of its sensors.
        is_present: of each sample and map.
    """
    shown = [torch.where(is_present[:, place].view(-1, 1, 1, 1), bev,
                         model.parts_of(sensor)[1].stand_in.view(1, -1, 1, 1))
             for place, (sensor, bev) in enumerate(zip(model.sensors, maps))]
    fused = model.fuse(shown, is_present)
    levels = model.bev_backbone(fused.bev) if model.bev_backbone is not None else fused.bev
    return model.bev_neck(levels), fused.losses


def draw_presence(number: int, absent_prob: float, rng: np.random.Generator) -> Bool[Tensor, 'b 2']:
    """Returns which sensors each sample shows: never none.

    Args:
        number: of samples.
        absent_prob: of each sensor; below 0.5.
        rng: is drawn from once per sample, whatever the probability.
    """
    event = torch.from_numpy(rng.random(number))
    return torch.stack([event >= absent_prob, event < 1 - absent_prob], dim=1)


def train(model: GeminiFusion3D, folder: Path, *, seed: int, steps: int, batch_size: int, lr: float,
          absent_prob: float) -> List[float]:
    """Trains what follows the encoders; returns the loss of every step.

    Args:
        model: the detector.
        folder: of the stored training maps.
        seed: of the order of the samples and of the absent sensors.
        steps: how many.
        batch_size: samples of a step.
        lr: the highest learning rate of one cycle.
        absent_prob: see `draw_presence`.
    """
    maps, boxes = StoredMaps(folder), read_boxes(folder)
    rng = np.random.default_rng((seed, SAMPLES))
    passes = -(-steps * batch_size // len(maps))
    order = np.concatenate([rng.permutation(len(maps)) for _ in range(passes)])
    weights = [values for name, values in model.named_parameters()
               if not any(part in name for part in ENCODING)]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.3)
    model.train()
    losses = []
    for step in range(steps):
        seed_everything(seed, SAMPLES, step)
        indices = order[step * batch_size:(step + 1) * batch_size]
        is_present = draw_presence(len(indices), absent_prob, rng)
        features, fuser_losses = fused_maps(model, maps.batch(indices), is_present)
        samples = [_sample(boxes[index]) for index in indices]
        loss, _ = model.parse_losses({**model.bbox_head.loss(features, samples), **fuser_losses})
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 35)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _sample(boxes: Any = None) -> Det3DDataSample:
    sample = Det3DDataSample(metainfo=dict(box_type_3d=LiDARInstance3DBoxes))
    if boxes is not None:
        sample.gt_instances_3d = boxes
    return sample


@torch.inference_mode()
def predict(model: GeminiFusion3D, maps: StoredMaps, truth: Truth) -> List[GlobalBoxes]:
    """Returns the boxes of every sample of a split under a condition, as a submission would hold them.

    Args:
        model: trained.
        maps: of the split, as the condition leaves them.
        truth: of the split.
    """
    model.eval()
    found: List[GlobalBoxes] = []
    for start in range(0, len(maps), EVALUATED_TOGETHER):
        indices = range(start, min(start + EVALUATED_TOGETHER, len(maps)))
        is_present = torch.tensor([not absent for absent in maps.absent]).expand(len(indices), -1)
        features, _ = fused_maps(model, maps.batch(indices), is_present)
        predicted = model.bbox_head.predict(features, [_sample() for _ in indices])
        found += [to_global_boxes(boxes=boxes.bboxes_3d, scores=boxes.scores_3d, labels=boxes.labels_3d,
                                  class_names=CLASS_NAMES, frame=truth.infos.frames[index])
                  for index, boxes in zip(indices, predicted)]
    return found


def score(model: GeminiFusion3D, folder: Path, truth: Truth, condition: str, resamples: int
          ) -> Dict[str, Any]:
    """Returns the mAP under a condition, and that of resampled scenes.

    Args:
        model: trained.
        folder: of the split's stored maps.
        truth: of the split.
        condition: a name of CONDITIONS.
        resamples: how many resamples of the scenes.
    """
    matches = match_boxes(truth, predict(model, StoredMaps(folder, condition), truth))
    every_scene = np.ones(int(truth.scene_of_sample.max()) + 1)
    return dict(mAP=mean_average_precision(matches, every_scene),
                resampled=[round(value, 4) for value in resampled(matches, resamples)])
