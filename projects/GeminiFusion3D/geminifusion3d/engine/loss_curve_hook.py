"""The loss curve as a file that two equal runs write byte for byte the same."""
import math
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..atomic import write_whole
from ..check_sums import json_lines, sealed_line
from .finite_loss_hook import find_culprits
from .optim_wrapper import GeminiOptimWrapper

CURVE_FILE = 'loss_curve.jsonl'


def read_curve(path: Path) -> List[Dict[str, Any]]:
    """Reads a loss curve; a last line that a killed run left unfinished is dropped.

    Args:
        path: a `loss_curve.jsonl`; absent files count as empty.

    Returns:
        One row per iteration: `epoch` and `iter` (both from 1), `lr`, `loss` and its parts, None where
        they are not finite. An iteration whose step was skipped adds `skipped`, the reason, and
        `tokens`, the samples behind it.

    Raises:
        UserError: if a line is damaged.
    """
    return list(json_lines(path)) if path.is_file() else []


@HOOKS.register_module()
class GeminiLossCurveHook(Hook):
    """Appends one JSON line per iteration to `loss_curve.jsonl` in the work directory.

    mmengine's `scalars.json` holds times and smoothed values and starts anew at each resume; this
    file holds exact losses only (the mean over the processes), and a resumed run continues it.
    """

    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Keeps the lines of iterations that the resumed checkpoint has seen, drops the others."""
        self.path = Path(runner.work_dir) / CURVE_FILE
        if is_main_process():
            rows = [row for row in read_curve(self.path) if row['iter'] <= runner.iter]
            write_whole(self.path, ''.join(map(_line, rows)))

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: Optional[Sequence[Any]] = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """Appends the line of this iteration."""
        names = [name for name, value in (outputs or {}).items() if torch.is_tensor(value)]
        # One wait for the device, whatever the number of losses.
        values = torch.stack([outputs[name].detach().double().mean() for name in names])
        all_reduce(values, op='mean')
        row = {'epoch': runner.epoch + 1, 'iter': runner.iter + 1,
               'lr': runner.optim_wrapper.param_groups[0]['lr'],
               **{name: value if math.isfinite(value) else None
                  for name, value in zip(names, values.tolist())},
               **_skipped(runner, data_batch, outputs)}
        if is_main_process():
            with open(self.path, 'a') as curve:
                curve.write(_line(row))


def _skipped(runner: Runner, data_batch: Any, outputs: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    """Returns what a row adds where a step was skipped."""
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, GeminiOptimWrapper) or wrapper.skipped is None:
        return {}
    return {'skipped': wrapper.skipped.reason, 'tokens': find_culprits(data_batch, outputs).tokens}


def _line(row: Dict[str, Any]) -> str:
    """Formats a row of the curve, with its check sum."""
    return sealed_line(row)
