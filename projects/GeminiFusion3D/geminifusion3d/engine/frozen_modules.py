"""Keeps parts of the model as they were loaded while the rest trains, as a fusion stage may.

BEVFusion's own fusion stage freezes nothing. Freezing the LiDAR branch saves its backward pass and
keeps what the LiDAR stage has learned.
"""
from typing import Any, Sequence

from torch import nn

from .named_modules import find_modules


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
