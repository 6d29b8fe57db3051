"""Finds parts of a model by the names that a config gives them, and freezes them.

Frozen parts stay as they were loaded while the rest trains, as in a fusion stage: BEVFusion's own freezes
nothing. Freezing the LiDAR branch saves its backward pass and keeps what the LiDAR stage has learned.
"""
import difflib
from fnmatch import fnmatchcase
from typing import Any, Dict, Sequence

from torch import nn

from ..errors import UserError


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
