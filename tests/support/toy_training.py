"""A toy model, dataset and metric with a config that trains in a second, to test the engine with.

A config names this module in `custom_imports`; other processes find it through PYTHONPATH.
"""
import json
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import Dataset

from geminifusion3d.cli import run_cli
from geminifusion3d.commands.main import parse
from geminifusion3d.commands.train_and_test import test, train

CONFIG = '''
custom_imports = dict(imports=['geminifusion3d.engine', 'toy_training'])
default_scope = 'mmdet3d'
env_cfg = dict(dist_cfg=dict(backend='nccl'), torch_threads=1)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=3, deterministic=True)
model = dict(type='ToyModel', width={width})
train_dataloader = dict(batch_size=2, num_workers=0,
                        sampler=dict(type='DefaultSampler', shuffle=True),
                        dataset=dict(type='ToyDataset', length=8))
val_dataloader = dict(batch_size=1, num_workers=0,
                      sampler=dict(type='DefaultSampler', shuffle=False),
                      dataset=dict(type='ToyDataset', length=7))
test_dataloader = val_dataloader
val_evaluator = dict(type='ToyMetric')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=10)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=4, by_epoch=True,
                        convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(type='GeminiCheckpointHook', interval=1, max_keep_ckpts=2),
                     logger=dict(type='GeminiLoggerHook', interval=2))
custom_hooks = [dict(type='GeminiSeedHook'), dict(type='GeminiFiniteLossHook'),
                dict(type='GeminiLossCurveHook')]
'''


def write_config(folder: Path, *, width: int = 4, extra: str = '') -> Path:
    """Writes the toy config.

    Args:
        folder: where the file shall stand.
        width: of the model's hidden layer; weights of another width do not fit.
        extra: lines to append.
    """
    path = folder / f'toy{width}.py'
    path.write_text(CONFIG.format(width=width) + extra)
    return path


@DATASETS.register_module()
class ToyDataset(Dataset):
    """`length` points on a line with a slope of 2; those of `poison` are no numbers."""

    METAINFO = {'classes': ('toy',)}

    def __init__(self, *, length: int, ann_file: str = '', data_root: str = '',
                 seed: int = 0, poison: Sequence[int] = ()) -> None:
        self.length, self.ann_file, self.data_root, self.seed = length, ann_file, data_root, seed
        self.poison = poison
        self.metainfo = dict(self.METAINFO)

    def __len__(self) -> int:
        """Returns the number of points."""
        return self.length

    def __getitem__(self, index: int) -> Dict[str, torch.Tensor]:
        """Returns the point `index`."""
        x = torch.tensor([index / self.length])
        sample = {'x': x, 'y': 2 * x, 'index': torch.tensor(index)}
        return {**sample, 'x': x * float('nan')} if index in self.poison else sample


@MODELS.register_module()
class ToyModel(BaseModel):
    """A small network with dropout and batch norm, so that random and buffer states matter."""

    def __init__(self, *, width: int, poison_at: int = -1, init_cfg: Optional[Dict] = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.layers = nn.Sequential(nn.Linear(1, width), nn.BatchNorm1d(width), nn.Dropout(0.3),
                                    nn.Linear(width, 1))
        self.poison_at, self.calls = poison_at, 0

    def forward(self, x: List[torch.Tensor], y: List[torch.Tensor], index: List[torch.Tensor],
                mode: str = 'tensor') -> Any:
        """Returns the losses of a batch, or per-sample predictions."""
        prediction = self.layers(torch.stack(list(x)))
        if mode != 'loss':
            return [{'index': int(i), 'value': float(v)} for i, v in zip(index, prediction)]
        loss = (prediction - torch.stack(list(y))).square().mean()
        self.calls += 1
        return {'loss_line': loss * (float('nan') if self.calls == self.poison_at else 1.)}


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Records which samples were evaluated, and the sum of their predictions."""

    default_prefix = 'toy'

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keeps the predictions."""
        self.results.extend(data_samples)

    def compute_metrics(self, results: list) -> Dict[str, float]:
        """Returns the number of results, of distinct samples, and the sum of the predictions."""
        ordered = sorted(results, key=lambda result: result['index'])
        return {'count': float(len(results)),
                'distinct': float(len({result['index'] for result in results})),
                'sum': float(sum(result['value'] for result in ordered))}


@HOOKS.register_module()
class ToyKillHook(Hook):
    """Kills its own process in the middle of writing the n-th checkpoint."""

    def __init__(self, *, at_write: int) -> None:
        self.at_write, self.writes = at_write, 0

    def before_train(self, runner: Runner) -> None:
        """Puts the killing writer in the place of mmengine's."""
        write = LocalBackend.put

        def half_then_die(backend: LocalBackend, content: bytes, path: str) -> None:
            """Writes half of the content, on the disk, and dies."""
            self.writes += 1
            if self.writes == self.at_write:
                write(backend, content[:len(content) // 2], path)
                os.kill(os.getpid(), signal.SIGKILL)
            write(backend, content, path)

        LocalBackend.put = half_then_die


@HOOKS.register_module()
class ToyInterruptHook(Hook):
    """Presses Ctrl-C in an iteration."""

    def __init__(self, *, at_iter: int) -> None:
        self.at_iter = at_iter

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Raises what Ctrl-C raises."""
        if runner.iter == self.at_iter:
            raise KeyboardInterrupt


@HOOKS.register_module()
class ToyDieHook(Hook):
    """Kills one of the processes of a run in its third iteration, or freezes it."""

    def __init__(self, *, rank: int, freezes: bool = False) -> None:
        self.rank, self.freezes = rank, freezes

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Ends the process as the system does when the memory is full."""
        if runner.rank == self.rank and runner.iter == 2:
            os.kill(os.getpid(), signal.SIGSTOP if self.freezes else signal.SIGKILL)


def forget_runs() -> None:
    """Drops mmengine's singletons of a run, which are named after the second of its start."""
    for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
        kind._instance_dict.clear()
    torch.use_deterministic_algorithms(False)


def run_train(config: Path, work_dir: Path, *arguments: str) -> int:
    """Runs `tools/train.py` in this process and returns its exit code."""
    forget_runs()
    try:
        return train(parse('train', str(config), '--work-dir', str(work_dir), *arguments))
    finally:
        forget_runs()


def score(config: Path, checkpoint: Path, work_dir: Path, *arguments: str) -> None:
    """Runs `tools/test.py` in this process, which may be one of several."""
    forget_runs()
    try:
        test(parse('test', str(config), str(checkpoint), '--work-dir', str(work_dir), *arguments))
    finally:
        forget_runs()


def run_test(config: Path, checkpoint: Path, work_dir: Path, *arguments: str) -> Dict[str, float]:
    """Runs `tools/test.py` in this process and returns the metrics that it logged."""
    score(config, checkpoint, work_dir, *arguments)
    return logged_metrics(work_dir)


def logged_metrics(work_dir: Path) -> Dict[str, float]:
    """Reads the toy metrics of the only evaluation in a work directory."""
    return {key: value for log in work_dir.rglob('*.json') for line in log.read_text().splitlines()
            for key, value in json.loads(line).items() if key.startswith('toy/')}


def in_processes(count: int, run: Callable[[], Any], *, grace_s: float = 100) -> List[Optional[int]]:
    """Runs a function in processes as torchrun would; prints what those that failed said.

    They are forked from a process that has imported everything and run nothing: a fork of this one could
    inherit a lock that one of its threads holds.

    Args:
        count: how many processes.
        run: what each does; pickled, so a function of a module of tests/support, or a partial of one.
        grace_s: how long the others may take when one has ended.

    Returns:
        Their exit codes; None for one that did not end.
    """
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__, 'geminifusion3d.registered'])
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f'rank{rank}.log' for rank in range(count)]
        processes = [context.Process(target=_in_rank, args=(run, rank, count, port, logs[rank]))
                     for rank in range(count)]
        for process in processes:
            process.start()
        wait([process.sentinel for process in processes], 100)
        for process in processes:
            process.join(grace_s)
        codes = [process.exitcode for process in processes]
        for process, log in zip(processes, logs):
            process.kill()
            if process.exitcode != 0:
                print(f'--- {log.name}, exit code {process.exitcode}\n{log.read_text()}')
    return codes


def _in_rank(run: Callable[[], Any], rank: int, count: int, port: int, log: Path) -> None:
    """Runs a function as one of several processes, all it says into a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(file, stream.fileno())
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count),
                      MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.set_num_threads(1)
    run_cli(lambda: run() and None)
