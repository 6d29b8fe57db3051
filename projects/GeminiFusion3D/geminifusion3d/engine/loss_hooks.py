"""Reports steps that were skipped; stops a training that went wrong before its weights are spoilt.

And the loss curve as a file that two equal runs write byte for byte the same.
"""
import logging
import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from mmdet3d.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..atomic import write_whole
from ..check_sums import json_lines, sealed_line
from ..errors import UserError
from .optim_wrapper import GeminiOptimWrapper


class Culprits(NamedTuple):
    """What the processes know about a step that was skipped.

    Attributes:
        tokens: sample tokens of the batch, of those processes whose own loss was not finite, else of all.
        losses: losses that were not finite, as `name = value`.
    """

    tokens: List[str]
    losses: List[str]


def bad_losses(outputs: Optional[Dict[str, Any]]) -> List[str]:
    """Lists the losses of an iteration that are not finite."""
    return [f'{name} = {float(value.mean())}' for name, value in (outputs or {}).items()
            if torch.is_tensor(value) and not bool(torch.isfinite(value).all())]


def sample_tokens(data_batch: Any) -> List[str]:
    """Returns the tokens of a batch's samples; none where the data have no tokens."""
    samples = data_batch.get('data_samples', ()) if isinstance(data_batch, dict) else ()
    return [str(sample.metainfo['token']) for sample in samples if 'token' in sample.metainfo]


def find_culprits(data_batch: Any, outputs: Optional[Dict[str, Any]]) -> Culprits:
    """Asks every process for its part; all must call this together."""
    reports = all_gather_object((sample_tokens(data_batch), bad_losses(outputs)))
    guilty = [(tokens, losses) for tokens, losses in reports if losses] or reports
    return Culprits(tokens=[token for tokens, _ in guilty for token in tokens],
                    losses=sorted({loss for _, losses in guilty for loss in losses}))


SHOWN_TOKENS = 8
ADVICE = ('lower the learning rate, lengthen the warm-up or clip the gradients '
          '(optim_wrapper.clip_grad), then continue from the last checkpoint with --resume')


@HOOKS.register_module()
class GeminiFiniteLossHook(Hook):
    """Logs each step that GeminiOptimWrapper skips, and ends training after several in a row.

    With another optimiser wrapper, which does not skip, it ends training at the first loss that is
    no finite number.

    Args:
        max_failures: steps in a row whose loss or gradient is not finite until training ends.

    Raises:
        ValueError: if max_failures is below 1.
    """

    priority = 'HIGH'

    def __init__(self, *, max_failures: int = 5) -> None:
        if max_failures < 1:
            raise ValueError(f'max_failures must be at least 1, got {max_failures}')
        self.max_failures = max_failures
        self.last_reason, self.iterations, self.has_stepped = '', 0, False

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: Optional[Sequence[Any]] = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """Looks at the step of the iteration; UserError if it was one failure too many."""
        wrapper = runner.optim_wrapper
        self.iterations += 1
        self.has_stepped |= getattr(wrapper, 'has_stepped', True)
        if not isinstance(wrapper, GeminiOptimWrapper):
            self._refuse(runner, bad_losses(outputs))
            return
        if wrapper.skipped:
            self._report(runner, data_batch, outputs)
        if wrapper.failures_in_row >= self.max_failures:
            raise UserError(f'training stopped at {_place(runner)}: {wrapper.failures_in_row} steps in a '
                            f'row were skipped, fewer than {self.max_failures} expected; the last one: '
                            f'{self.last_reason}; {ADVICE}')

    def after_train(self, runner: Runner) -> None:
        """Refuses to call it a success where no step has changed a weight."""
        if self.iterations and not self.has_stepped:
            raise UserError(f'each step of the {self.iterations} iterations was skipped, the weights are as '
                            f'they were at the start; the last one: {self.last_reason}; {ADVICE}')

    def _report(self, runner: Runner, data_batch: Any, outputs: Optional[Dict[str, Any]]) -> None:
        """Logs a skipped step and the samples behind it."""
        skipped, culprits = runner.optim_wrapper.skipped, find_culprits(data_batch, outputs)
        self.last_reason = ', '.join([skipped.reason, *culprits.losses])
        more = len(culprits.tokens) - SHOWN_TOKENS
        samples = ', '.join(culprits.tokens[:SHOWN_TOKENS]) + (f' and {more} more' if more > 0 else '')
        runner.logger.log(
            logging.WARNING if skipped.is_failure else logging.INFO,
            f'skipped the step at {_place(runner)}, nothing was changed: {self.last_reason}'
            + (f'; samples: {samples}' if samples else ''))

    def _refuse(self, runner: Runner, bad: Sequence[str]) -> None:
        """Ends training where nothing stands between a bad loss and the weights."""
        if bad:
            raise UserError(f'training stopped at {_place(runner)}: expected finite losses, got '
                            f'{", ".join(bad)}; {ADVICE}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict[str, Any]) -> None:
        """Refuses to save weights that are infinite or not a number."""
        bad = [name for name, value in checkpoint['state_dict'].items()
               if value.is_floating_point() and not bool(value.isfinite().all())]
        if bad:
            raise UserError(f'nothing was saved at iteration {runner.iter + 1}: {len(bad)} weights'
                            f' are not finite (first: {bad[0]}); {ADVICE}')


def _place(runner: Runner) -> str:
    return f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}'


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
