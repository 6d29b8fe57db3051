"""Renames and turns the weights of a checkpoint by a list of rules; nothing is lost silently."""
import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from torch import Tensor

from ..errors import UserError
from .kernels import unchanged

SHOWN_KEYS = 5


@dataclass(frozen=True)
class Rule:
    """What happens to the keys that a pattern matches as a whole.

    Attributes:
        pattern: regular expression of the source's key.
        target: the key here, with groups as in `re.sub`; None for what has no counterpart here.
        change: turns the weight.
    """

    pattern: str
    target: Optional[str]
    change: Callable[[Tensor], Tensor] = unchanged


def apply_rules(weights: Mapping[str, Tensor], rules: Sequence[Rule], *, source: str
                ) -> Dict[str, Tensor]:
    """Converts every weight by the first rule that matches its key.

    Args:
        weights: the source's state dict.
        rules: in order of precedence.
        source: what the messages call the source's format.

    Raises:
        UserError: if no rule knows a key, or two keys become one.
    """
    converted: Dict[str, Tensor] = {}
    unknown: List[str] = []
    for key, weight in weights.items():
        rule = next((rule for rule in rules if re.fullmatch(rule.pattern, key)), None)
        if rule is None:
            unknown.append(key)
        elif rule.target is not None:
            target = re.sub(f'^{rule.pattern}$', rule.target, key)
            if target in converted:
                raise UserError(f'two weights of the {source} checkpoint become {target}, the second is '
                                f'{key}: the checkpoint is not what the converter expects')
            converted[target] = rule.change(weight)
    if unknown:
        more = ', ...' if len(unknown) > SHOWN_KEYS else ''
        raise UserError(f'{len(unknown)} weights of the checkpoint have no counterpart in the conversion '
                        f'from {source} ({", ".join(unknown[:SHOWN_KEYS])}{more}): pass a checkpoint of '
                        'its published configs')
    return converted
