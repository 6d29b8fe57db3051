"""Finds parts of a model by the names that a config gives them."""
import difflib
from fnmatch import fnmatchcase
from typing import Dict, Sequence

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
