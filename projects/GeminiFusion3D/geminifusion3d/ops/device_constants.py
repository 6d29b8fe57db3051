"""Tensors for a device without waiting: an ordinary copy waits for all that a GPU has still to do."""
from functools import lru_cache
from typing import Sequence, Tuple

import torch
from jaxtyping import Shaped
from torch import Tensor


def constant_like(values: Sequence[float], like: Shaped[Tensor, '...']) -> Shaped[Tensor, ' n']:
    """Returns the numbers on a tensor's device in its dtype, copied there at the first call only.

    Args:
        values: the numbers; nobody may change what is returned.
        like: where the numbers are needed.
    """
    return _constant(tuple(values), like.device, like.dtype)


def to_device(tensor: Shaped[Tensor, '...'], device: torch.device) -> Shaped[Tensor, '...']:
    """Returns a CPU tensor on a device; copied from pinned memory, so that nothing waits.

    Args:
        tensor: on the CPU.
        device: where it is needed.
    """
    if torch.device(device).type == 'cuda':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


@lru_cache(maxsize=128)
def _constant(values: Tuple[float, ...], device: torch.device, dtype: torch.dtype) -> Shaped[Tensor, ' n']:
    # It may outlive the inference mode in which it is first asked for.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device, dtype=dtype)
