"""Says where Triton's kernels run: on a GPU, or anywhere in Triton's interpreter, for tests."""
import os
from functools import lru_cache
from importlib.util import find_spec

from torch import Tensor


def runs_triton(tensor: Tensor) -> bool:
    """Whether kernels are to work on this tensor."""
    return (tensor.is_cuda or _is_interpreted()) and _is_installed()


@lru_cache(maxsize=None)
def _is_installed() -> bool:
    return find_spec('triton') is not None


@lru_cache(maxsize=None)
def _is_interpreted() -> bool:
    # Triton reads the variable when it is imported, so that a later change means nothing.
    return os.environ.get('TRITON_INTERPRET') == '1'
