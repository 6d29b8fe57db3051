"""What a run's process is made of; the whole of it runs in `make compare`."""
from types import SimpleNamespace

import pytest
from mmdet3d.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from gemini_lab.compare import step_clock
from gemini_lab.compare.step_clock import StepClock
from gemini_lab.compare.train_and_score import SILENCES, with_step
from gemini_lab.compare.variants import VARIANTS


def test_a_resumed_training_is_timed_per_step_and_scaled_to_all(monkeypatch):
    readings = iter([10.0, 13.0])
    monkeypatch.setattr(step_clock.time, 'process_time', lambda: next(readings))
    monkeypatch.setattr(step_clock.torch.cuda, 'is_available', lambda: False)
    clock, runner = StepClock(), SimpleNamespace(iter=40, max_iters=100)
    clock.before_train(runner)
    runner.iter = 100
    clock.after_train(runner)
    # 60 steps in 3 seconds here; 40 were made by an earlier process.
    assert clock.times() == pytest.approx(dict(step_s=0.05, train_s=5.0))


def test_the_silent_sensors_come_just_before_packing_and_leave_the_recipe_alone():
    pipeline = ['load', 'resize', 'pack']
    assert with_step(pipeline, 'drop') == ['load', 'resize', 'drop', 'pack']
    assert pipeline == ['load', 'resize', 'pack']
    init_default_scope('mmdet3d')
    black, empty = [TRANSFORMS.build(dict(type='GeminiDropSensors', **SILENCES[name]))
                    for name in ('black', 'empty')]
    assert len(black.cameras) == 6 and not black.lidar and not black.is_told
    assert not empty.cameras and empty.lidar


@pytest.mark.parametrize('variant', VARIANTS, ids=lambda variant: variant.name)
def test_every_model_shares_data_schedule_and_all_parts_but_its_own(variant):
    base = Config.fromfile('configs/_base_/compare.py')
    cfg = Config.fromfile(variant.config)
    for key in ('train_cfg', 'optim_wrapper', 'param_scheduler', 'data_root', 'sweeps_num', 'final_hw'):
        assert cfg[key] == base[key]
    for part, wanted in base.model.items():
        is_missing_sensors = variant.sensors != 'both' and cfg.model[part] is None
        assert part == 'fuser' or is_missing_sensors or cfg.model[part] == wanted
