"""Drops activations and computes them again in the backward pass: less memory, more time.

Source: torch.utils.checkpoint. The delta to mmengine 0.10.7 (runner/activation_checkpointing.py): inputs
without a gradient (images, points) do not cut the gradient off, keyword arguments pass, names may be
patterns, and the second computation leaves the running statistics of batch norm alone.
"""
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, Callable, Iterator, List, Sequence, Union

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from .named_modules import find_modules
from .running_statistics import norm_layers


def checkpoint_activations(model: nn.Module, modules: Union[str, Sequence[str]]) -> None:
    """Makes modules keep nothing but their inputs for the backward pass of a training step.

    Random numbers (dropout, stochastic depth) are the same in both computations. UserError if a name or
    pattern (see find_modules) is of no module.
    """
    patterns = [modules] if isinstance(modules, str) else modules
    for module in find_modules(model, patterns).values():
        module.forward = _checkpointed(module)


def _checkpointed(module: nn.Module) -> Callable:
    forward, layers = module.forward, norm_layers(module)

    @wraps(forward)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not (module.training and torch.is_grad_enabled()):
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False,
                          context_fn=lambda: (nullcontext(), _without_statistics(layers)), **kwargs)
    return run


@contextmanager
def _without_statistics(layers: List[nn.Module]) -> Iterator[None]:
    """Lets batch norms update copies of their statistics: the batch has been counted already."""
    before = [(layer, name, buffer) for layer in layers
              for name, buffer in layer.named_buffers(recurse=False)]
    for layer, name, buffer in before:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in before:
            setattr(layer, name, buffer)
