"""How long a sample takes plain and in test-time augmented variants, measured in turns.

What is timed: network, decoding, and fusing the variants. Files are read and variants made before: loading
processes do that beside the network.
"""
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Dict, List, Mapping, Tuple

import torch
from mmdet3d.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn

from geminifusion3d.results.test_time_augmentation import GeminiTestTimeAugmentation
from .evaluate import build_runner

SAMPLES, ROUNDS = 4, 2


def seconds_per_sample(cfgs: Mapping[str, Config], folder: Path) -> Dict[str, float]:
    """Returns the median seconds of one sample under each recipe.

    Every sample goes through all recipes before the next one comes, so that what else the machine does
    falls on all of them; the first sample is a warm-up and is not counted.

    Args:
        cfgs: recipes of one model and checkpoint by name; they differ in their test pipeline.
        folder: for the log.
    """
    runner = build_runner(next(iter(cfgs.values())), folder)
    runner.load_or_resume()
    model = runner.model.eval()
    datasets = {name: DATASETS.build(cfg.test_dataloader.dataset) for name, cfg in cfgs.items()}
    seconds: Dict[str, List[float]] = {name: [] for name in cfgs}
    for turn, index in enumerate(_indices(len(next(iter(datasets.values()))))):
        for name, dataset in datasets.items():
            taken_s = _time(*_ready(model, dataset[index]))
            if turn:
                seconds[name].append(taken_s)
    return {name: median(taken) for name, taken in seconds.items()}


def _indices(n_samples: int) -> List[int]:
    """Returns samples spread over the split, the first once more before them."""
    count = min(SAMPLES, n_samples)
    spread = [number * n_samples // count for number in range(count)]
    return [spread[0], *spread * ROUNDS]


def _ready(model: nn.Module, sample: Dict[str, Any]) -> Tuple[nn.Module, Any]:
    """Returns what predicts a sample, and the batch that it takes."""
    if isinstance(sample['data_samples'], list):
        model = GeminiTestTimeAugmentation(module=model)
    return model, pseudo_collate([sample])


def _time(model: nn.Module, batch: Any) -> float:
    began_s = perf_counter()
    with torch.no_grad():
        model.test_step(batch)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return perf_counter() - began_s
