"""Stops a training that went wrong before it spoils the checkpoint to go back to."""
from typing import Any, Dict, Optional, Sequence

import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..errors import UserError

ADVICE = ('lower the learning rate (see --auto-scale-lr), lengthen the warm-up or clip the '
          'gradients (optim_wrapper.clip_grad), then continue from the last checkpoint with '
          '--resume')


@HOOKS.register_module()
class GeminiFiniteLossHook(Hook):
    """Ends training with one sentence when a loss or a weight is no longer a finite number."""

    priority = 'HIGH'

    def after_train_iter(self, runner: Runner, batch_idx: int,
                         data_batch: Optional[Sequence[Any]] = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """Checks every loss of the iteration.

        Raises:
            UserError: if one is infinite or not a number.
        """
        bad = [f'{name} = {float(value.mean())}' for name, value in (outputs or {}).items()
               if torch.is_tensor(value) and not bool(torch.isfinite(value).all())]
        if bad:
            raise UserError(f'training stopped at epoch {runner.epoch + 1}, iteration '
                            f'{runner.iter + 1}: expected finite losses, got {", ".join(bad)}; '
                            f'{ADVICE}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: Dict[str, Any]) -> None:
        """Refuses to save spoilt weights.

        Raises:
            UserError: if a weight is infinite or not a number.
        """
        bad = [name for name, value in checkpoint['state_dict'].items()
               if value.is_floating_point() and not bool(torch.isfinite(value).all())]
        if bad:
            raise UserError(f'nothing was saved at iteration {runner.iter + 1}: {len(bad)} weights'
                            f' are not finite (first: {bad[0]}); {ADVICE}')
