"""Does a checkpoint belong to this model? If a key or a shape differs, one sentence says which."""
import re
from typing import Any, Dict, List, Mapping, Tuple

from torch import nn

from ..errors import UserError

SHOWN_KEYS = 3


def state_dict_of(checkpoint: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns the weights without the `module.` prefix of data-parallel wrappers."""
    weights = checkpoint.get('state_dict', checkpoint)
    return {re.sub(r'^module\.', '', key): value for key, value in weights.items()}


def compare_weights(model: nn.Module, weights: Mapping[str, Any]
                    ) -> Tuple[List[str], List[str], List[str]]:
    """Compares a model's parameters and buffers with a state dict.

    Returns:
        Keys that the weights lack, keys that the model does not know, and descriptions of the keys
        whose shapes differ; each list in the order of its owner.
    """
    expected = model.state_dict()
    missing = [key for key in expected if key not in weights]
    unexpected = [key for key in weights if key not in expected]
    misshapen = [f'{key} got {tuple(weights[key].shape)} expected {tuple(expected[key].shape)}'
                 for key in expected if key in weights
                 and tuple(weights[key].shape) != tuple(expected[key].shape)]
    return missing, unexpected, misshapen


def check_fits(model: nn.Module, checkpoint: Mapping[str, Any], *, name: str) -> None:
    """Refuses a checkpoint of another config.

    Args:
        model: the model that shall receive the weights, not wrapped.
        checkpoint: what `read_checkpoint` returned.
        name: what the message calls the checkpoint.

    Raises:
        UserError: if a key is missing, unknown or of another shape.
    """
    labels = ('missing', 'unexpected', 'of another shape')
    findings = compare_weights(model, state_dict_of(checkpoint))
    if not any(findings):
        return
    told = '; '.join(f'{len(keys)} {label} ({_first(keys)})'
                     for label, keys in zip(labels, findings) if keys)
    raise UserError(f'checkpoint {name} is of another config: the model expects '
                    f'{len(model.state_dict())} weights, {told}; pass the config that the '
                    f'checkpoint was trained with, or its own checkpoint')


def _first(keys: List[str]) -> str:
    """Lists the first few keys."""
    more = ', ...' if len(keys) > SHOWN_KEYS else ''
    return ', '.join(keys[:SHOWN_KEYS]) + more
