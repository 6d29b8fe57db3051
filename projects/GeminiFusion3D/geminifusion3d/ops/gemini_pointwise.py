"""Which implementation of the pointwise steps a tensor gets."""
from types import ModuleType

from torch import Tensor

from . import gemini_steps
from .triton_here import runs_triton


def pointwise_steps(like: Tensor) -> ModuleType:
    """Returns the module whose steps work on the tensor: Triton's kernels on a GPU, PyTorch elsewhere."""
    if runs_triton(like):
        from . import triton_gemini
        return triton_gemini
    return gemini_steps
