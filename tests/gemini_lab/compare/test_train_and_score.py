"""What a run's process is made of; the whole of it runs in `make compare`."""
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from gemini_lab.compare import train_and_score
from gemini_lab.compare.runs import all_variants, choose
from gemini_lab.compare.train_and_score import SILENCES, StepClock
from geminifusion3d.errors import UserError

VARIANTS = all_variants()
COMMAND = """
import sys, time
import endless_run
from gemini_lab.compare.queue import launcher
process = launcher(1, 'endless_run')(endless_run.EndlessRun(sys.argv[1]), 0)
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize('killed_by', [signal.SIGTERM, signal.SIGKILL])
def test_a_run_ends_with_the_command_that_was_killed(tmp_path, killed_by):
    with subprocess.Popen([sys.executable, '-c', COMMAND, tmp_path], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}) as command:
        pid = int(command.stdout.readline())
        until_s = time.monotonic() + 120
        while not (tmp_path / 'at_work').exists() and time.monotonic() < until_s:
            time.sleep(0.1)
        command.send_signal(killed_by)
    assert (tmp_path / 'at_work').exists()
    until_s = time.monotonic() + 10
    while os.path.exists(f'/proc/{pid}') and time.monotonic() < until_s:
        time.sleep(0.1)
    assert not os.path.exists(f'/proc/{pid}')


def test_a_resumed_training_is_timed_per_step_and_scaled_to_all(monkeypatch):
    readings = iter([10.0, 13.0])
    monkeypatch.setattr(train_and_score.time, 'process_time', lambda: next(readings))
    monkeypatch.setattr(train_and_score.torch.cuda, 'is_available', lambda: False)
    clock, runner = StepClock(), SimpleNamespace(iter=40, max_iters=100)
    clock.before_train(runner)
    runner.iter = 100
    clock.after_train(runner)
    # 60 steps in 3 seconds here; 40 were made by an earlier process.
    assert clock.times == pytest.approx(dict(step_s=0.05, train_s=5.0))


def test_models_are_the_recipes_of_the_folder_and_are_chosen_by_name():
    names = [variant.name for variant in VARIANTS]
    assert names[:2] == ['cam', 'lidar'] and {'add', 'conv', 'gemini', 'full-attention'} < set(names)
    assert all(variant.label and '\n' not in variant.label for variant in VARIANTS)
    assert [variant.name for variant in choose(['gemini', 'lidar'])] == ['lidar', 'gemini']
    assert [variant.name for variant in choose([])] == [name for name in names if name != 'full-attention']
    with pytest.raises(UserError, match='called nothing; expected some of cam, lidar'):
        choose(['nothing'])


@pytest.mark.parametrize('variant', VARIANTS, ids=lambda variant: variant.name)
def test_every_model_shares_data_schedule_and_all_parts_but_its_own(variant):
    base = Config.fromfile('configs/_base_/compare.py')
    cfg = Config.fromfile(variant.config)
    for key in ('train_cfg', 'optim_wrapper', 'param_scheduler', 'data_root', 'sweeps_num', 'final_hw'):
        assert cfg[key] == base[key]
    # Two streams are fuser and BEV backbone in one, and may be the neck too.
    own = ('fuser', 'bev_backbone', 'bev_neck') if 'two-stream' in variant.name else ('fuser',)
    for part, wanted in base.model.items():
        is_missing_sensors = variant.sensors != 'lidar-cam' and cfg.model[part] is None
        assert part in own or is_missing_sensors or cfg.model[part] == wanted


def test_silent_sensors_leave_the_recipe_alone():
    cfg = Config.fromfile(next(variant.config for variant in VARIANTS if variant.name == 'gemini'))
    steps = len(cfg.test_dataloader.dataset.pipeline)
    changed = {name: change(cfg).test_dataloader.dataset.pipeline for name, change in SILENCES.items()}
    more = {name: len(pipeline) - steps for name, pipeline in changed.items()}
    assert more == dict(all=0, black=1, empty=1)
    assert len(cfg.test_dataloader.dataset.pipeline) == steps
