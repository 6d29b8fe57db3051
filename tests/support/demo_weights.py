"""Recipes of the demo with random weights."""
from pathlib import Path
from typing import Optional, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from geminifusion3d.inference import Detector, Sample
from geminifusion3d.nuscenes_facts import CLASS_NAMES

REPO = Path(__file__).resolve().parents[2]
CONFIG = REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'


def write_checkpoint(config: Path, path: Path, sample: Optional[Sample] = None) -> Path:
    """Writes random weights of a recipe.

    Args:
        config: the recipe.
        path: where they go.
        sample: what the batch norms have seen; without them a sensor hardly reaches the head.
    """
    init_default_scope('mmdet3d')
    torch.manual_seed(1)
    cfg = Config.fromfile(config)
    model = MODELS.build(cfg.model)
    save(model, path, cfg.test_dataloader.dataset.get('metainfo', {}).get('classes', CLASS_NAMES))
    if sample is not None:
        detector = Detector.from_files(config, path)
        for module in detector.model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.train().momentum = 1.0
        detector(sample)
        save(detector.model, path)
    return path


def save(model: torch.nn.Module, path: Path, classes: Sequence[str] = CLASS_NAMES) -> None:
    """Saves weights as a training on these classes does."""
    torch.save({'state_dict': model.state_dict(), 'meta': {'dataset_meta': {'classes': list(classes)}}}, path)
