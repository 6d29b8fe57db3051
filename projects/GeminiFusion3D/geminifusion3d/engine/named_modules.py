"""Parts of a model by the names that a config gives them: frozen, or with activations computed again.

Frozen parts stay as they were loaded while the rest trains, as in a fusion stage: BEVFusion's own freezes
nothing. Freezing the LiDAR branch saves its backward pass and keeps what the LiDAR stage has learned.

Drops activations and computes them again in the backward pass: less memory, more time.

Source: torch.utils.checkpoint. The delta to mmengine 0.10.7 (runner/activation_checkpointing.py): inputs
without a gradient (images, points) do not cut the gradient off, keyword arguments pass, names may be
patterns, and the second computation leaves the running statistics of batch norm alone.
"""
import difflib
from contextlib import contextmanager, nullcontext
from fnmatch import fnmatchcase
from functools import wraps
from typing import Any, Callable, Dict, Iterator, List, Sequence, Union

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..errors import UserError
from .optim_wrapper import norm_layers


def find_modules(model: nn.Module, patterns: Sequence[str]) -> Dict[str, nn.Module]:
    """Returns the modules of these names, by name.

    Args:
        model: not wrapped.
        patterns: dotted names such as 'lidar_branch'; '*' stands for anything between two dots.

    Raises:
        UserError: if a pattern names no module.
    """
    modules = dict(model.named_modules())
    found: Dict[str, nn.Module] = {}
    for pattern in patterns:
        matching = {name: module for name, module in modules.items() if _fits(name, pattern)}
        if not matching:
            top = [name for name in modules if name and '.' not in name]
            close = difflib.get_close_matches(pattern, list(modules)) or top
            raise UserError(f'the model has no module {pattern!r}: expected a name such as '
                            f'{", ".join(close)}')
        found.update(matching)
    return found


def _fits(name: str, pattern: str) -> bool:
    parts, wanted = name.split('.'), pattern.split('.')
    return len(parts) == len(wanted) and bool(name) == bool(pattern) and all(map(fnmatchcase, parts, wanted))


def freeze_modules(model: nn.Module, patterns: Sequence[str]) -> int:
    """Takes modules out of training: no gradient, evaluation mode in every forward pass.

    To be called before the model is wrapped for several processes, which wait for the gradients of
    every parameter that has one.

    Args:
        model: not wrapped.
        patterns: see find_modules.

    Returns:
        The number of weights that no longer train.

    Raises:
        UserError: if a pattern names no module.
    """
    modules = find_modules(model, patterns).values()
    for module in modules:
        module.requires_grad_(False)
        # `model.train()` at the start of each epoch reaches all modules; this comes after it.
        module.register_forward_pre_hook(_evaluate)
    frozen = {id(weight): weight.numel() for module in modules for weight in module.parameters()}
    return sum(frozen.values())


def _evaluate(module: nn.Module, inputs: Any) -> None:
    module.eval()


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
