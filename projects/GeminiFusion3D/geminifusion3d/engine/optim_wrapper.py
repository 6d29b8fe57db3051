"""One optimiser step: precision, gradient accumulation, and a guard that skips what is not finite.

Source: mmengine 0.10.7 OptimWrapper and AmpOptimWrapper. The delta: mixed precision on CPUs too and by
one argument; accumulation that ends with each epoch, so that a checkpoint holds no half-summed
gradient; a step whose loss or gradient is not finite changes nothing, on any process.
"""
import math
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import torch
from mmdet3d.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from mmengine.dist import all_reduce
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from ..errors import UserError, check_choice


def norm_layers(model: nn.Module) -> List[nn.Module]:
    """Returns the layers that keep running statistics (batch norm of any kind)."""
    return [layer for layer in model.modules() if isinstance(layer, _NormBase) and layer.track_running_stats]


class RunningStatistics:
    """Takes back what a bad batch did: one that is not a number would spoil the averages for good.

    Args:
        model: whose batch norms are kept.
    """

    def __init__(self, model: nn.Module) -> None:
        buffers = [buffer for layer in norm_layers(model) for buffer in layer.buffers(recurse=False)]
        # One operation for all buffers of a type, into memory that stays.
        self.groups = [[buffer for buffer in buffers if buffer.dtype == dtype]
                       for dtype in sorted({buffer.dtype for buffer in buffers}, key=str)]
        self.saved = [torch.cat([buffer.flatten() for buffer in group]) for group in self.groups]

    @torch.no_grad()
    def save(self) -> None:
        """Remembers the statistics as they are now."""
        for group, saved in zip(self.groups, self.saved):
            torch.cat([buffer.flatten() for buffer in group], out=saved)

    @torch.no_grad()
    def restore(self) -> None:
        """Brings back what was saved."""
        for group, saved in zip(self.groups, self.saved):
            for buffer, values in zip(group, saved.split([buffer.numel() for buffer in group])):
                buffer.copy_(values.view_as(buffer))


PRECISIONS = {'fp32': None, 'fp16': torch.float16, 'bf16': torch.bfloat16}
# A gradient that overflows fp16 at this loss scale or below has no better scale to try.
LEAST_LOSS_SCALE = 1.0


class SkippedStep(NamedTuple):
    """Why an iteration's step was skipped.

    Attributes:
        reason: what was not finite.
        is_failure: False for an overflow that fp16's loss scale is about to mend.
    """

    reason: str
    is_failure: bool


@OPTIM_WRAPPERS.register_module()
class GeminiOptimWrapper(OptimWrapper):
    """Steps an optimiser in a chosen precision; see the module.

    `skipped` tells of the last iteration why its step was skipped (None: it was not), `has_stepped`
    whether it changed the weights, `failures_in_row` how many steps in a row have failed. Where
    gradients are accumulated, one bad batch skips the whole step that it belongs to.

    Args:
        optimizer: the optimiser.
        precision: 'fp32', 'bf16', or 'fp16', which scales losses dynamically.
        accumulative_counts: iterations whose gradients one step averages.
        clip_grad: arguments of `clip_grad_norm_`, or of `clip_grad_value_` with type='value'.

    Raises:
        ValueError: for an unknown precision.
        UserError: if the GPU does not know it.
    """

    def __init__(self, *, optimizer: torch.optim.Optimizer, precision: str = 'fp32',
                 accumulative_counts: int = 1, clip_grad: Optional[Dict[str, Any]] = None) -> None:
        check_choice('precision', precision, PRECISIONS)
        super().__init__(optimizer, accumulative_counts, dict(clip_grad) if clip_grad else None)
        self.precision = precision
        self.device_type = optimizer.param_groups[0]['params'][0].device.type
        _check_device(precision, self.device_type)
        self.loss_scaler = torch.amp.GradScaler(self.device_type) if precision == 'fp16' else None
        # Set by the runner where training goes by epochs.
        self.epoch_length: Optional[int] = None
        self.skipped: Optional[SkippedStep] = None
        self.has_stepped, self.failures_in_row, self._is_spoilt = False, 0, False
        self._statistics: Optional[RunningStatistics] = None

    @property
    def accumulative_counts(self) -> int:
        """How many iterations make a step."""
        return self._accumulative_counts

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Surrounds a forward pass: autocast, and no synchronisation of gradients to be summed."""
        if self._statistics is None:
            self._statistics = RunningStatistics(model)
        self._statistics.save()
        dtype = PRECISIONS[self.precision]
        with super().optim_context(model), torch.autocast(self.device_type, dtype=dtype,
                                                          enabled=dtype is not None):
            yield

    def update_params(self, loss: Tensor, step_kwargs: Optional[Dict] = None,
                      zero_kwargs: Optional[Dict] = None) -> None:
        """Sums the gradient of an iteration; at the end of an accumulation, steps or skips."""
        self.skipped, self.has_stepped = None, False
        self._is_spoilt = self._is_spoilt and self._position()[0] > 0
        if self._is_spoilt:
            self._inner_count += 1
        else:
            self.backward(self.scale_loss(loss))
        steps = self.should_update()
        norm = self._gradient_norm() if steps and not self._is_spoilt else None
        is_finite, norm = self._look_once(loss, norm)
        if not is_finite:
            self._skip('the loss is not finite', is_failure=True)
        elif norm is not None:
            self.step(norm=norm, **(step_kwargs or {}))
        if steps:
            self.zero_grad(**(zero_kwargs or {}))
            self.failures_in_row = 0 if self.has_stepped else self.failures_in_row + self._is_spoilt
            if self.loss_scaler and not is_finite and norm is not None:
                # The unscaled gradients are gone; a bad loss says nothing about the scale, which stays.
                self.loss_scaler.update(self.loss_scaler.get_scale())

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Adds the gradient of a loss, multiplied by the loss scale under fp16."""
        scaled = self.loss_scaler.scale(loss) if self.loss_scaler else loss
        super().backward(scaled, **kwargs)

    def step(self, *, norm: float, **kwargs: Any) -> None:
        """Clips the gradients and steps, unless they are not finite."""
        self.has_stepped = math.isfinite(norm)
        if self.has_stepped:
            self._clip(norm)
            self.optimizer.step(**kwargs)
        else:
            scale = self.loss_scaler.get_scale() if self.loss_scaler else LEAST_LOSS_SCALE
            at_scale = f' at loss scale {scale:g}' if self.loss_scaler else ''
            self._skip(f'the gradient norm is {norm}{at_scale}', is_failure=scale <= LEAST_LOSS_SCALE)
        if self.loss_scaler:
            self.loss_scaler.update()

    def _skip(self, reason: str, *, is_failure: bool) -> None:
        """Drops the gradients of the step, and what the bad batch did to the running statistics."""
        self.skipped, self._is_spoilt = SkippedStep(reason, is_failure), is_failure
        self.optimizer.zero_grad()
        if self._statistics is not None:
            self._statistics.restore()

    def _gradients(self) -> List[Tensor]:
        return [parameter.grad for parameter in self._parameters() if parameter.grad is not None]

    def _parameters(self) -> List[nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group['params']]

    def _gradient_norm(self) -> Tensor:
        """Returns the norm of the gradients, of the kind that clipping is about."""
        if self.loss_scaler:
            self.loss_scaler.unscale_(self.optimizer)
        return get_total_norm(self._gradients(), (self.clip_grad_kwargs or {}).get('norm_type', 2.0))

    def _look_once(self, loss: Tensor, norm: Optional[Tensor]) -> Tuple[bool, Optional[float]]:
        """Returns whether every process' loss is finite, and the norm: waits for the device once."""
        is_finite = loss.detach().isfinite().all().float()
        all_reduce(is_finite, op='min')
        if norm is None:
            return bool(is_finite), None
        flag, number = torch.stack([is_finite, norm.float()]).tolist()
        return bool(flag), number

    def _clip(self, norm: float) -> None:
        """Clips the gradients in place, and logs the norm as mmengine does."""
        if not self.clip_grad_kwargs:
            return
        if self.clip_func is torch.nn.utils.clip_grad_norm_:
            max_norm = self.clip_grad_kwargs['max_norm']
            # Below the bound the factor is 1: the pass over all gradients is saved.
            if norm + 1e-6 > max_norm:
                clip_grads_with_norm_(self._parameters(), max_norm, torch.tensor(norm))
            self.message_hub.update_scalar(f'train/{self.grad_name}', norm)
        else:
            self.clip_func(self._parameters(), **self.clip_grad_kwargs)

    def _position(self, ahead: int = 0) -> Tuple[int, int]:
        """Returns the place of an iteration in its accumulation, and the length of that.

        Args:
            ahead: 0 for the iteration that is not counted yet, -1 for the one counted last.
        """
        counts, total = self._accumulative_counts, self.epoch_length or self._max_counts
        if total <= 0:
            return (self._inner_count + ahead) % counts, counts
        in_epoch = (self._inner_count + ahead) % total
        place = in_epoch % counts
        return place, min(counts, total - (in_epoch - place))

    def should_sync(self) -> bool:
        """Says whether the iteration to come is the last of its accumulation."""
        place, length = self._position()
        return place == length - 1

    def should_update(self) -> bool:
        """Says whether the iteration counted last was the last of its accumulation."""
        place, length = self._position(-1)
        return place == length - 1

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Divides a loss by the number of iterations that its step averages."""
        return loss / self._position()[1]

    def state_dict(self) -> Dict[str, Any]:
        """Returns the optimiser's state, and the loss scale under fp16."""
        scaler = {'loss_scaler': self.loss_scaler.state_dict()} if self.loss_scaler else {}
        return {**super().state_dict(), **scaler}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        """Continues from a state, of another precision too."""
        state = dict(state_dict)
        scale = state.pop('loss_scaler', None)
        if scale and self.loss_scaler:
            self.loss_scaler.load_state_dict(scale)
        super().load_state_dict(state)


def _check_device(precision: str, device_type: str) -> None:
    if (precision, device_type) == ('bf16', 'cuda') and not torch.cuda.is_bf16_supported(
            including_emulation=False):
        raise UserError(f'precision bf16 needs a GPU of the Ampere generation or later, got '
                        f'{torch.cuda.get_device_name()}: use fp16 (--amp fp16)')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GeminiOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Builds a GeminiOptimWrapper where the config says OptimWrapper or AmpOptimWrapper.

    mmdet3d's tools/train.py refuses `--amp` unless the config says OptimWrapper, and writes AmpOptimWrapper.
    That becomes bf16, which scales no loss, on a CPU and on a GPU that computes it, else fp16; a precision
    that the recipe names stays. AdamW runs fused unless the recipe says otherwise.

    Args:
        optim_wrapper_cfg: the config's `optim_wrapper` without `constructor`.
        paramwise_cfg: as in mmengine's DefaultOptimWrapperConstructor.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any],
                 paramwise_cfg: Optional[Mapping[str, Any]] = None) -> None:
        cfg = dict(optim_wrapper_cfg)
        if cfg['type'] == 'AmpOptimWrapper':
            cfg.pop('loss_scale', None)
            if cfg.get('precision', 'fp32') == 'fp32':
                has_bf16 = not torch.cuda.is_available() or torch.cuda.is_bf16_supported(
                    including_emulation=False)
                cfg['precision'] = 'bf16' if has_bf16 else 'fp16'
        if cfg['type'] in ('OptimWrapper', 'AmpOptimWrapper'):
            cfg['type'] = 'GeminiOptimWrapper'
        if cfg['optimizer'].get('type') == 'AdamW':
            cfg['optimizer'] = {'fused': True, **cfg['optimizer']}
        super().__init__(cfg, paramwise_cfg)
