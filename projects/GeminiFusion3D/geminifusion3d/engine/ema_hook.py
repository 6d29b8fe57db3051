"""The moving average of the weights, which is what gets evaluated, saved and exported.

Source: mmengine 0.10.7 EMAHook. The delta: one average per step of the optimiser, not per iteration;
the average warms up; the saved running statistics are those that were evaluated.
"""
from typing import Any, Dict, Optional, Sequence

from mmdet3d.registry import HOOKS
from mmengine.hooks import EMAHook
from mmengine.runner import Runner

# The average of the first n steps is close to their mean while n is small against this.
WARM_UP_STEPS = 100


@HOOKS.register_module()
class GeminiEMAHook(EMAHook):
    """Averages the weights; a checkpoint's `state_dict` is the average, `ema_state_dict` the weights.

    tools/test.py and tools/export_submission.py therefore use the average, and a
    resumed training continues both.

    Args:
        momentum: share of the newest weights in the average.
        begin_epoch: first epoch (from 1) to average; before, the average is the weights.
    """

    def __init__(self, *, momentum: float = 2e-4, begin_epoch: int = 0) -> None:
        super().__init__(ema_type='MomentumAnnealingEMA', strict_load=True, begin_epoch=begin_epoch,
                         momentum=momentum, gamma=WARM_UP_STEPS)

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: Optional[Sequence[Any]] = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """Averages, if the iteration has changed the weights."""
        if getattr(runner.optim_wrapper, 'has_stepped', True):
            super().after_train_iter(runner, batch_idx, data_batch, outputs)

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict[str, Any]) -> None:
        """Adds the average, with the running statistics as they are now on every process."""
        for averaged, current in zip(self.ema_model.module.buffers(), self.src_model.buffers()):
            averaged.data.copy_(current.data)
        super().before_save_checkpoint(runner, checkpoint)
