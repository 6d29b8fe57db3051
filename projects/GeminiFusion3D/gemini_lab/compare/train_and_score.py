"""What one process of the comparison does: train, score with all sensors and with some silent, count.

A killed one goes on: training from its last epoch, scores that are there are not computed again.
"""
import copy
import json
import os
import signal
import sys
import threading
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, Dict, List, Optional

from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from geminifusion3d.atomic import write_json
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.engine.config_file import apply_seed, load_config
from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.submission.provenance import hardware
from ..cost.model_cost import count_costs
from .run import LOG_FILE, TRAINING_FOLDER, Run
from .step_clock import StepClock

TRAINING_TIME = 'training_time.json'
# What is silent in each evaluation. Black pictures are taken for real ones; an empty cloud is what a
# failed LiDAR delivers.
SILENCES: Dict[str, Dict[str, Any]] = {
    'all': {}, 'black': dict(cameras=CAMERA_NAMES, is_told=False), 'empty': dict(lidar=True)}


def work(run: Run, core: Optional[int]) -> None:
    """Runs in a process of its own: all output goes to the run's log.

    Args:
        run: what to do.
        core: the processor core to stay on; None leaves that to the system.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if core is not None:
        os.sched_setaffinity(0, {core})
    run.prepare()
    log = os.open(run.folder / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    run.finish(train_and_score(run))


def _end_with_parent() -> None:
    """Waits until the process that watches over this one is gone, however it ended."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def train_and_score(run: Run) -> Dict[str, Any]:
    """Returns the result of a run: scores by silence, costs, times.

    Args:
        run: what to do.
    """
    cfg = load_config(str(run.variant.config))
    apply_seed(cfg, run.seed)
    times = _train(cfg, run)
    checkpoint = run.folder / TRAINING_FOLDER / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    silences = [name for name in SILENCES if name == 'all' or run.variant.sensors == 'both']
    return dict(scores={name: _score(cfg, run, name, checkpoint) for name in silences},
                costs=_costs(cfg), processor=hardware()['cpu'], **times)


def _train(cfg: Config, run: Run) -> Dict[str, float]:
    """Trains what is left to train; returns seconds per step and in all."""
    folder = run.folder / TRAINING_FOLDER
    kept = folder / TRAINING_TIME
    if not kept.is_file():
        cfg = copy.deepcopy(cfg)
        cfg.work_dir, cfg.resume = str(folder), True
        # The scores come after the training, the first of them with all sensors.
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.experiment_name = f'{run.variant.name}_{run.seed}'
        runner, clock = GeminiRunner.from_cfg(cfg), StepClock()
        runner.register_hook(clock)
        runner.train()
        write_json(kept, clock.times())
    return json.loads(kept.read_text())


def _score(cfg: Config, run: Run, silence: str, checkpoint: Path) -> Dict[str, Any]:
    """Returns the devkit's summary of one evaluation."""
    folder = run.folder / silence
    summary = folder / 'metrics_summary.json'
    if not summary.is_file():
        cfg = copy.deepcopy(cfg)
        cfg.work_dir, cfg.load_from = str(folder), str(checkpoint)
        cfg.experiment_name = f'{run.variant.name}_{run.seed}_{silence}'
        if SILENCES[silence]:
            step = dict(type='GeminiDropSensors', **SILENCES[silence])
            cfg.test_dataloader.dataset.pipeline = with_step(cfg.test_dataloader.dataset.pipeline, step)
        GeminiRunner.from_cfg(cfg).test()
    content = json.loads(summary.read_text())
    return dict(mAP=content['mean_ap'], NDS=content['nd_score'], class_AP=content['mean_dist_aps'])


def with_step(pipeline: List[Dict[str, Any]], step: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Returns a pipeline with one more step, just before packing."""
    return [*pipeline[:-1], step, pipeline[-1]]


def _costs(cfg: Config) -> List[Dict[str, Any]]:
    """Counts parameters and multiply-adds on the first keyframe of the evaluation."""
    init_default_scope('mmdet3d')
    batch = pseudo_collate([DATASETS.build(cfg.test_dataloader.dataset)[0]])
    return [vars(cost) for cost in count_costs(MODELS.build(cfg.model), batch)]
