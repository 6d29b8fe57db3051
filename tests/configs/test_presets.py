"""What a recipe's name says about its training is what it does."""
import re
from pathlib import Path

import pytest
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from geminifusion3d.engine.learning_rate import batch_size_ratio, last_epoch
from geminifusion3d.engine.named_modules import find_modules

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BATCHES = re.compile(r'_(?P<processes>\d+)xb(?P<samples>\d+)-')
NAMED = sorted(path for path in CONFIGS.rglob('*.py')
               if '_base_' not in path.parts and BATCHES.search(path.stem))
SAVING = [path for path in NAMED if Config.fromfile(path).get('activation_checkpointing')]


@pytest.mark.parametrize('path', NAMED, ids=lambda path: path.stem)
def test_processes_samples_and_accumulation_make_the_batch_that_the_rate_belongs_to(path: Path) -> None:
    cfg, name = Config.fromfile(path), BATCHES.search(path.stem)
    accumulated = int((re.search(r'-accum(\d+)', path.stem) or [1, 1])[1])
    assert cfg.train_dataloader.batch_size == int(name['samples'])
    assert cfg.optim_wrapper.get('accumulative_counts', 1) == accumulated
    assert batch_size_ratio({**cfg.auto_scale_lr, 'enable': False}, processes=int(name['processes']),
                            batch_size=int(name['samples']), accumulated=accumulated) == 1
    assert cfg.auto_scale_lr.enable


@pytest.mark.parametrize('path', NAMED, ids=lambda path: path.stem)
def test_the_name_says_precision_and_length_and_the_schedule_ends_with_the_training(path: Path) -> None:
    cfg = Config.fromfile(path)
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.constructor) == (
        'OptimWrapper', 'GeminiOptimWrapperConstructor')
    assert (cfg.optim_wrapper.precision != 'fp32') == ('-amp' in path.stem)
    epochs = int(re.search(r'-(\d+)e_', path.stem)[1])
    # In mmdet3d's names an epoch of repeated data counts as often as it is repeated.
    assert cfg.train_cfg.max_epochs == last_epoch(cfg.param_scheduler)
    assert cfg.train_cfg.max_epochs * cfg.train_dataloader.dataset.get('times', 1) == epochs


@pytest.mark.parametrize('path', SAVING, ids=lambda path: path.stem)
def test_the_parts_that_recompute_their_activations_exist(path: Path) -> None:
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(path)
    assert find_modules(MODELS.build(cfg.model), cfg.activation_checkpointing)


def test_there_is_a_preset_for_one_gpu_and_one_for_eight() -> None:
    processes = {BATCHES.search(path.stem)['processes'] for path in NAMED if path.parent.name == 'presets'}
    assert processes == {'1', '8'} and SAVING
