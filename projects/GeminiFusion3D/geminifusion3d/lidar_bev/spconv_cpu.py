"""Lets the CUDA build of spconv 2 train on a CPU as well.

Two things stand in its way: its convolutions default to an algorithm that exists on CUDA only, and its
backward asks for a CUDA stream even for CPU tensors.
"""
import torch
from spconv.core import ConvAlgo
from spconv.pytorch import ops
from spconv.pytorch.conv import SparseConvolution
from torch import nn


def enable_spconv_on_cpu() -> None:
    """Answers spconv's question for a CUDA stream with the null stream where there is no CUDA."""
    if not torch.cuda.is_available():
        ops.get_current_stream = _null_stream


def _null_stream() -> int:
    return 0


def use_native_algorithm(module: nn.Module) -> None:
    """Makes every sparse convolution of `module` gather, multiply and scatter, which runs anywhere."""
    for layer in module.modules():
        if isinstance(layer, SparseConvolution):
            layer.algo = ConvAlgo.Native
