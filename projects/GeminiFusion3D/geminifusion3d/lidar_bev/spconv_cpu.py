"""Lets the CUDA build of spconv 2 train on a CPU as well.

Its convolutions default to an algorithm that exists on CUDA only, and its backward pass asks for a CUDA
stream even for CPU tensors.
"""
import torch
from spconv.core import ConvAlgo
from spconv.pytorch import ops
from spconv.pytorch.conv import SparseConvolution
from torch import nn


def enable_spconv_on_cpu() -> None:
    """Gives spconv the null stream where it asks for a CUDA stream and there is no CUDA."""
    if not torch.cuda.is_available():
        ops.get_current_stream = _null_stream


def _null_stream() -> int:
    return 0


def choose_algorithm(module: nn.Module, *, is_cuda: bool) -> None:
    """Sets the algorithm of every sparse convolution for the device of its next input.

    Args:
        module: holds the sparse convolutions.
        is_cuda: whether to use the algorithm that spconv chose when a layer was built, several times
            faster on CUDA, or `Native` (gather, multiply, scatter), which runs anywhere.
    """
    for layer in module.modules():
        if isinstance(layer, SparseConvolution):
            cuda_algorithm = layer.__dict__.setdefault('cuda_algorithm', layer.algo)
            layer.algo = cuda_algorithm if is_cuda else ConvAlgo.Native
