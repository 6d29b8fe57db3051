"""Times the steps of a training stage by stage, writes them to a file, and ends the process.

Runs in any checkout whose detector has today's parts, of this project's modules only the clock beside it.
"""
import json
import os
import time
from pathlib import Path
from typing import Any, Dict, List

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ..benchmark.stage_clock import (ALIGN, BACKBONE, BACKWARD, BEV, DEPTH, ENCODER, FUSE, HEAD, LIFT, REST,
                                     SPLAT, STEP, TRANSFER, VOXELS, StageClock, watched_methods)

TARGETS, LOSSES, WHOLE = 'training targets', 'losses', 'whole step'
ORDER = (TRANSFER, BACKBONE, DEPTH, LIFT, SPLAT, VOXELS, ENCODER, ALIGN, FUSE, BEV, HEAD, TARGETS, LOSSES,
         BACKWARD, STEP, REST, WHOLE)


@HOOKS.register_module()
class StepClockHook(Hook):
    """Times from `before_train_iter` to `after_train_iter`: loading is not included.

    Args:
        out: JSON file for the seconds of every step, by stage.
        warm_up: steps that do not count.
        steps: steps that do.
    """

    priority = 'LOWEST'

    def __init__(self, *, out: str, warm_up: int, steps: int) -> None:
        self.out, self.warm_up, self.steps = Path(out), warm_up, steps
        self.found: List[Dict[str, float]] = []
        self.begin_s = 0.0

    def before_train(self, runner: Any) -> None:
        """Finds out what to watch."""
        model, wrapper = runner.model, runner.optim_wrapper
        self.clock = StageClock(
            device=torch.device('cpu'), outermost=REST,
            watched=[(wrapper, 'backward', BACKWARD), (wrapper, 'step', STEP), (wrapper, 'zero_grad', STEP),
                     (model.bbox_head, 'get_targets', TARGETS), *watched_methods(model)])

    def before_train_iter(self, *_: Any, **__: Any) -> None:
        """Starts the clocks."""
        self.begin_s = time.perf_counter()
        self.clock.__enter__()

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        """Stops them; behind the last step, writes and leaves."""
        self.clock.__exit__()
        self.found.append({**self.clock.seconds, WHOLE: time.perf_counter() - self.begin_s})
        if len(self.found) == self.warm_up + self.steps:
            self.out.write_text(json.dumps(self.found[self.warm_up:]))
            os._exit(0)
