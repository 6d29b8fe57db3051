"""What one process of the comparison does: train, score with all sensors and with some silent, count.

A killed one goes on: training from its last epoch, scores that are there are not computed again.
"""
import copy
import json
import os
import sys
import time
from typing import Any, Callable, Dict, List, Optional

import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from geminifusion3d.data_converters.parallel import end_with_command
from geminifusion3d.engine.config_file import apply_seed, load_config
from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.results.run_record import hardware

from ..cost.model_cost import count_costs
from ..robustness.changed_recipe import with_black_cameras, with_empty_lidar
from .runs import LOG_FILE, TRAINING_FOLDER, Run

# What is silent in each evaluation. Black pictures are taken for real ones; an empty cloud is what a
# failed LiDAR delivers.
SILENCES = {'all': copy.deepcopy, 'black': with_black_cameras, 'empty': with_empty_lidar}


class StepClock(Hook):
    """Times the training steps of this process, those of an earlier process excluded.

    On a CPU these are seconds of the process' own work: others on the machine do not count.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Starts, after a checkpoint was loaded."""
        self.read = time.perf_counter if torch.cuda.is_available() else time.process_time
        self.first_step, self.start_s = runner.iter, self.read()

    def after_train(self, runner: Runner) -> None:
        """Stops."""
        step_s = (self.read() - self.start_s) / max(1, runner.iter - self.first_step)
        self.times = dict(step_s=step_s, train_s=step_s * runner.max_iters)


def work(run: Run, core: Optional[int]) -> None:
    """Runs in a process of its own.

    Args:
        run: what to do.
        core: the processor core to stay on; None leaves that to the system.
    """
    work_on(run, core, train_and_score)


def work_on(run: Run, core: Optional[int], produce: Callable[[Any], Dict[str, Any]]) -> None:
    """Keeps the result of a run; all output of this process goes to the run's log."""
    end_with_command()
    if core is not None:
        os.sched_setaffinity(0, {core})
    run.prepare()
    log = os.open(run.folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    run.finish(produce(run))


def train_and_score(run: Run) -> Dict[str, Any]:
    """Returns the result of a run: scores by silence, costs, times."""
    cfg = load_config(str(run.variant.config))
    apply_seed(cfg, run.seed)
    results = run.results()
    times = results.once('times', lambda: train(cfg, run))
    silences = list(SILENCES) if run.variant.sensors == 'lidar-cam' else ['all']
    scores = {name: results.once(name, lambda: _score(cfg, run, name)) for name in silences}
    return dict(scores=scores, costs=_costs(cfg), processor=hardware()['cpu'], **times)


def train(cfg: Config, run: Run) -> Dict[str, float]:
    """Trains what is left to train; returns seconds per step and in all, steps and samples.

    Args:
        cfg: the recipe; left as it is.
        run: whose folder is used.
    """
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.resume = str(run.folder / TRAINING_FOLDER), True
    # The scores come after the training, the first of them with all sensors.
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.experiment_name = f'{run.variant.name}_{run.seed}'
    runner, clock = GeminiRunner.from_cfg(cfg), StepClock()
    runner.register_hook(clock)
    runner.train()
    return dict(clock.times, steps=runner.max_iters, train_samples=len(runner.train_dataloader.dataset))


def runner_of_test(cfg: Config, run: Run, name: str) -> GeminiRunner:
    """Returns what tests the checkpoint that a run's training left, in a folder of a name."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(run.folder / name)
    cfg.load_from = str(run.folder / TRAINING_FOLDER / f'epoch_{cfg.train_cfg.max_epochs}.pth')
    cfg.experiment_name = f'{run.variant.name}_{run.seed}_{name}'
    return GeminiRunner.from_cfg(cfg)


def _score(cfg: Config, run: Run, silence: str) -> Dict[str, Any]:
    """Returns the devkit's summary of one evaluation."""
    runner_of_test(SILENCES[silence](cfg), run, silence).test()
    content = json.loads((run.folder / silence / 'metrics_summary.json').read_text())
    return dict(mAP=content['mean_ap'], NDS=content['nd_score'], class_AP=content['mean_dist_aps'])


def _costs(cfg: Config) -> List[Dict[str, Any]]:
    """Counts parameters and multiply-adds on the first keyframe of the evaluation."""
    init_default_scope('mmdet3d')
    batch = pseudo_collate([DATASETS.build(cfg.test_dataloader.dataset)[0]])
    return [vars(cost) for cost in count_costs(MODELS.build(cfg.model), batch)]
