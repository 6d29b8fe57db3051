"""The chain of commands on a world of two scenes of two keyframes, for campaigns that disturb it.

A command runs in a process of its own, a fork of one that has imported everything: so a kill falls into the
work and not into ten seconds of imports.
"""
import math
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

LAB = Path(__file__).resolve().parents[1]
RECIPE_NAME = 'tiny.py'
# Everything that a resumed training has to go on with: averaged weights, summed gradients, bf16, schedule.
RECIPE = f"""_base_ = [{str(LAB.parent / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py')!r}]
data_root, max_epochs = 'data', 4
image = dict(final_hw=(64, 192), resize_range=(0.12, 0.12), flip=False)
train_pipeline, test_pipeline = _base_.train_pipeline, _base_.test_pipeline
train_pipeline[3].update(image)
test_pipeline[2].update(final_hw=(64, 192), resize_range=(0.12, 0.12))
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(data_root=data_root)
test_evaluator = val_evaluator
env_cfg = dict(torch_threads=1)
optim_wrapper = dict(type='GeminiOptimWrapper', precision='bf16', accumulative_counts=2)
custom_hooks = [*_base_.custom_hooks, dict(type='GeminiEMAHook', momentum=0.2)]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [dict(_base_.param_scheduler[0], total_steps=max_epochs)]
"""
SIZE = ('--version', 'v1.0-mini', '--workers', '2')
CHAIN: Dict[str, Tuple[str, ...]] = {
    'generate': ('synthetic', '--out', 'data', *SIZE, '--scenes', '2', '--samples-per-scene', '2'),
    'convert': ('convert', '--dataroot', 'data', *SIZE, '--with-gt-database'),
    'train': ('train', RECIPE_NAME, '--work-dir', 'run', '--resume', 'auto'),
    'test': ('test', RECIPE_NAME, 'run/epoch_4.pth', '--work-dir', 'run'),
    'export': ('export', RECIPE_NAME, 'run/epoch_4.pth', '--split', 'val', '--out', 'submission'),
    'report': ('report', 'run')}
POLL_S = 0.05
PRELOADED = ['geminifusion3d.commands.main', 'geminifusion3d.registered', 'geminifusion3d.commands.export',
             'geminifusion3d.commands.train_and_test', 'geminifusion3d.data_converters.gt_database',
             'geminifusion3d.data_converters.convert_nuscenes', 'gemini_lab.synthetic.generate',
             'gemini_lab.report.build', 'gemini_lab.analysis.ensemble', 'nuscenes.eval.detection.evaluate']


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    text: str


class Command:
    """A command that runs in a session of its own.

    Args:
        folder: where it runs.
        words: what stands behind `gemini3d`.
    """

    def __init__(self, folder: Path, words: Tuple[str, ...]) -> None:
        self._log = folder.with_name(f'{folder.name}.log')
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload(PRELOADED)
        self._process = context.Process(target=_run, args=(str(folder), str(self._log), list(words)))
        self._process.start()
        self.pid: int = self._process.pid or 0

    def wait(self, timeout_s: Any = None) -> bool:
        """Waits for its end; says whether it came."""
        self._process.join(timeout_s)
        return self._process.exitcode is not None

    def cpu_s(self) -> float:
        """Returns what the processors have done for it and its processes so far."""
        total = 0
        for name in os.listdir('/proc'):
            if name.isdigit() and int(name) >= self.pid:
                try:
                    fields = Path('/proc', name, 'stat').read_text().rpartition(') ')[2].split()
                except OSError:
                    continue  # it has ended
                # Session; then own and ended children's time, in user and kernel mode.
                total += sum(map(int, fields[11:15])) if int(fields[3]) == self.pid else 0
        return total / os.sysconf('SC_CLK_TCK')

    def work(self, until_cpu_s: float = math.inf) -> float:
        """Waits for its end, or until so much work is done; returns the work done."""
        done_s = 0.0
        while done_s < until_cpu_s and not self.wait(POLL_S):
            done_s = max(done_s, self.cpu_s())
        return done_s

    def ended(self) -> Ended:
        """Waits for its end and returns its code and its output."""
        self._process.join()
        return Ended(self._process.exitcode or 0, self._log.read_text(errors='replace'))


def _run(folder: str, log: str, words: List[str]) -> None:
    os.setsid()
    os.chdir(folder)
    with open(log, 'w') as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    from geminifusion3d.commands.main import main
    sys.argv = ['gemini3d', *words]
    main()
