"""Runs a recipe's detector from files to records, or a training step, for `benchmark model`, by stages.

Samples come from the recipe's dataset, or are made up in its shape.
"""
from argparse import Namespace
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import nn

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.engine.compiled_parts import compile_parts
from geminifusion3d.engine.cuda_graphs import graph_parts
from geminifusion3d.engine.inference_hook import fold_norms
from geminifusion3d.engine.optim_wrapper import PRECISIONS
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.evaluated_split import KeyFrame, read_info_file
from geminifusion3d.results.nuscenes_boxes import to_global_boxes

from ..cost.model_cost import StageCost, count_costs, without_weights
from ..cost.typical_batch import make_typical_batch
from .stage_clock import (ALIGN, BACKBONE, BACKWARD, BEV, BOXES, COLLATE, DEPTH, ENCODER, FUSE, HEAD, LOAD,
                          LOSSES, RECORDS, SPLAT, STEP, Watched, watched_methods)

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


# Stages of the parts that stats counts.
COUNTED = {'camera_branch.backbone': BACKBONE, 'camera_branch.neck': BACKBONE, 'camera_branch.rest': SPLAT,
           'camera_branch': DEPTH, 'lidar_branch': ENCODER, 'camera_align': ALIGN, 'lidar_align': ALIGN,
           'offset_field': ALIGN, 'cell_encoding': FUSE, 'gate': FUSE, 'fuser': FUSE, 'bev_backbone': BEV,
           'bev_neck': BEV, 'motion': BEV, 'bbox_head': HEAD}


def multiply_adds_by_stage(costs: Sequence[StageCost]) -> Dict[str, int]:
    """Returns the multiply-adds of the stages."""
    sums: Dict[str, int] = {}
    for cost in costs:
        part = cost.stage.split('.')[0]
        stage = COUNTED.get(cost.stage, COUNTED.get(part))
        if stage:
            sums[stage] = sums.get(stage, 0) + cost.multiply_adds
    return sums


class ModelRun:
    """A detector with its samples.

    Args:
        cfg: the recipe.
        arguments: the command line of `benchmark model`.
    """

    def __init__(self, *, cfg: Config, arguments: Namespace) -> None:
        init_default_scope(cfg.get('default_scope', 'mmdet3d'))
        self.is_training = arguments.train
        self.inputs = make_inputs(cfg, 'train_dataloader' if arguments.train else 'test_dataloader',
                                  batch_size=arguments.batch_size, frames=arguments.frames)
        repeat_as_trained(cfg)
        self.model = MODELS.build(without_weights(cfg.model))
        if arguments.checkpoint:
            self.model.load_state_dict(read_checkpoint(arguments.checkpoint)['state_dict'])
        self.multiply_adds = self._count()
        self.model.to(arguments.device).train(arguments.train)
        if not arguments.train and arguments.calibrations and cfg.model.get('camera_branch'):
            self.model.camera_branch.plan_cache.capacity = arguments.calibrations
        self.folded = fold_norms(self.model) if arguments.fold_norms else 0
        self.compiled = compile_parts(self.model) if arguments.compile else []
        self.graphed = graph_parts(self.model) if arguments.cuda_graphs else []
        self.precision = arguments.amp or 'fp32'
        if arguments.amp and arguments.train:
            cfg.optim_wrapper.update(type='GeminiOptimWrapper', precision=arguments.amp)
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper) if arguments.train else None

    def watched(self) -> List[Watched]:
        """Returns what a clock shall watch."""
        own: List[Watched] = [(self, 'load', LOAD), (self, 'collate', COLLATE), (self, 'records', RECORDS)]
        if self.optim_wrapper is not None:
            own += [(self.optim_wrapper, 'backward', BACKWARD), (self.optim_wrapper, 'step', STEP),
                    (self.optim_wrapper, 'zero_grad', STEP), (self.model, 'parse_losses', LOSSES)]
        elif hasattr(self.model.bbox_head, 'predict_by_feat'):
            own.append((self.model.bbox_head, 'predict_by_feat', BOXES))
        return own + watched_methods(self.model)

    def load(self, turn: int) -> List[Any]:
        """Reads the samples of a batch."""
        return self.inputs.load(turn)

    def collate(self, samples: List[Any]) -> Dict[str, Any]:
        """Puts a batch together."""
        return self.inputs.collate(samples)

    def records(self, predictions: List[Any]) -> List[Any]:
        """Turns predictions into nuScenes records."""
        return [to_global_boxes(
            boxes=sample.pred_instances_3d.bboxes_3d, scores=sample.pred_instances_3d.scores_3d,
            labels=sample.pred_instances_3d.labels_3d, class_names=CLASS_NAMES,
            frame=self.inputs.keyframe(sample)).records() for sample in predictions]

    def step(self, turn: int) -> Any:
        """Goes from files to records, or makes a training step."""
        batch = self.collate(self.load(turn))
        return self._train(batch) if self.is_training else self.records(self._predict(batch))

    def network(self, turn: int) -> Callable[[], Any]:
        """Returns what `step` does without reading files, for its memory."""
        batch = self.collate(self.load(turn))
        return lambda: self._train(batch) if self.is_training else self.records(self._predict(batch))

    def _predict(self, batch: Dict[str, Any]) -> List[Any]:
        data, dtype = self.model.data_preprocessor(batch, training=False), PRECISIONS[self.precision]
        device = next(self.model.parameters()).device
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            return self.model(**data, mode='predict')

    def _train(self, batch: Dict[str, Any]) -> None:
        with self.optim_wrapper.optim_context(self.model):
            data = self.model.data_preprocessor(batch, training=True)
            losses = self.model(**data, mode='loss')
        total, _ = self.model.parse_losses(losses)
        self.optim_wrapper.update_params(total)

    def _count(self) -> Dict[str, int]:
        """Counts multiply-adds of a prediction by stage; a training step takes about three times as many."""
        if self.is_training:
            return {}
        batch = self.collate(self.load(0))
        return multiply_adds_by_stage(count_costs(self.model, batch))


def repeat_as_trained(cfg: Config) -> None:
    """Seeds, and sets the deterministic mode that the recipe trains and is tested in."""
    deterministic = bool(cfg.get('randomness', {}).get('deterministic'))
    set_random_seed(0, deterministic=deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False
    if deterministic and torch.cuda.is_available():
        torch.use_deterministic_algorithms(True, warn_only=True)


def device_bytes(model: nn.Module) -> int:
    """Returns the bytes of a model's weights and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))


def describe(run: ModelRun, checkpoint: Optional[str]) -> str:
    """Says in words what ran."""
    weights = f'weights of {checkpoint}' if checkpoint else 'random weights'
    compiled = f'; compiled: {", ".join(run.compiled)}' if run.compiled else ''
    if run.graphed:
        compiled = f'; as CUDA graphs: {", ".join(run.graphed)}'
    folded = f'; {run.folded} norms multiplied into convolutions' if run.folded else ''
    mode = 'deterministic mode' if torch.are_deterministic_algorithms_enabled() else 'no deterministic mode'
    return f'{run.inputs.words}; {weights}{folded}{compiled}; {run.precision}; {mode}'
