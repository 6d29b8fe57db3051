"""Times the steps of a training that may have begun in another process."""
import time
from typing import Dict, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner


class StepClock(Hook):
    """Counts the steps of this process and the seconds that they take.

    On a CPU these are seconds of the process' own work: others on the machine do not count.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.read = time.perf_counter if torch.cuda.is_available() else time.process_time
        self.first_step: Optional[int] = None

    def before_train(self, runner: Runner) -> None:
        """Starts, after a checkpoint was loaded."""
        self.first_step, self.start_s = runner.iter, self.read()

    def after_train(self, runner: Runner) -> None:
        """Stops."""
        self.seconds = self.read() - self.start_s
        self.steps, self.all_steps = runner.iter - self.first_step, runner.max_iters

    def times(self) -> Dict[str, float]:
        """Returns seconds per step, and for all steps, those of earlier processes included."""
        step_s = self.seconds / max(1, self.steps)
        return dict(step_s=step_s, train_s=step_s * self.all_steps)
