"""Estimates the memory of a recipe's training step without a GPU, by running one on the CPU.

Every tensor of the step is counted while it is alive: forward, backward, mixed precision and
activation checkpointing as they are. Not counted: the CUDA context, workspaces of convolutions and of
sparse convolutions, fragmentation; together 1 to 3 GiB on common GPUs.
"""
import weakref
from typing import Any, Dict, Iterable, NamedTuple, Optional

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from geminifusion3d.engine.named_modules import checkpoint_activations, freeze_modules
from geminifusion3d.engine.optim_wrapper import PRECISIONS

from .typical_batch import make_typical_batch

# Two moments per weight.
ADAM_MOMENTS = 2


class StepMemory(NamedTuple):
    """Bytes that one process needs.

    Attributes:
        weights: parameters and buffers.
        gradients: of the weights that train.
        optimizer: AdamW's moments of them.
        activations: most bytes of everything else that were alive at once, for one sample.
        batch_size: samples per iteration.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    batch_size: int

    @property
    def total(self) -> int:
        """All of it; activations grow with the number of samples."""
        return self.weights + self.gradients + self.optimizer + self.activations * self.batch_size


def estimate_step_memory(cfg: Config, *, batch_size: Optional[int] = None,
                         points: Optional[Tensor] = None) -> StepMemory:
    """Runs one training step of one sample on the CPU and counts.

    Args:
        cfg: a recipe; its precision, `activation_checkpointing` and `frozen_modules` are obeyed.
        batch_size: samples per iteration; default: the recipe's.
        points: (N, 5) cloud of all sweeps; default: a made-up one of typical size.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    model = MODELS.build(cfg.model).train()
    if cfg.get('frozen_modules'):
        freeze_modules(model, cfg.frozen_modules)
    if cfg.get('activation_checkpointing'):
        checkpoint_activations(model, cfg.activation_checkpointing)
    batch = make_typical_batch(cfg, points=points)
    activations = measure_step(model, batch, precision=cfg.optim_wrapper.get('precision', 'fp32'))
    gradients = sum(bytes_of(weight) for weight in model.parameters() if weight.requires_grad)
    weights = sum(map(bytes_of, [*model.parameters(), *model.buffers()]))
    return StepMemory(weights=weights, gradients=gradients, optimizer=ADAM_MOMENTS * gradients,
                      activations=activations, batch_size=batch_size or cfg.train_dataloader.batch_size)


def measure_step(model: nn.Module, batch: Dict[str, Any], *, precision: str) -> int:
    """Returns the most bytes alive at once beside weights and gradients."""
    # Where gradients are summed they exist from the start, and stay.
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight) if weight.requires_grad else None
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    dtype = PRECISIONS[precision]
    with LiveBytes([*model.parameters(), *model.buffers(), *gradients]) as live:
        with torch.autocast('cpu', dtype=dtype, enabled=dtype is not None):
            losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
        total, _ = model.parse_losses(losses)
        total.backward()
    return live.peak


def bytes_of(tensor: Tensor) -> int:
    """Returns the size of a tensor's numbers."""
    return tensor.numel() * tensor.element_size()


class LiveBytes(TorchDispatchMode):
    """Follows every storage that an operator returns, from there until it is freed.

    What an operator allocates and frees inside itself (workspaces) is not seen.

    Args:
        ignored: tensors that exist already and shall not count, such as weights.
    """

    def __init__(self, ignored: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._sizes: Dict[int, int] = {_key(tensor): 0 for tensor in ignored}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operator and counts what it returned."""
        result = func(*args, **(kwargs or {}))
        tree_map_only(Tensor, self._count, result)
        return result

    def _count(self, tensor: Tensor) -> None:
        key = _key(tensor)
        if key in self._sizes:
            return
        storage = tensor.untyped_storage()
        self._sizes[key] = storage.nbytes()
        self.now += self._sizes[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self.now -= self._sizes.pop(key, 0)


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
