"""Matrix products of blocks as convolutions of 1 x 1 cells by oneDNN, where PyTorch's BLAS is slow.

MKL, the BLAS of PyTorch's builds for x86, multiplies on an AMD CPU with a kernel for an earlier one
(mkl_blas_def_sgemm_kernel_0_zen), which leaves AVX-512 unused; oneDNN, PyTorch's library for convolutions,
uses it. It adds biases, and what is in the memory of the result, as it goes. The same numbers but for the
order of sums. Twice as fast on the one such CPU that was measured, a Zen 5; one that takes two steps for
such a vector will gain less.
"""
from functools import lru_cache
from typing import Optional, Sequence

import torch
from torch import Tensor
from torch.utils.flop_counter import conv_flop_count, register_flop_formula

from .gemini_layout import BlockShape

# The convolutions into which torch.compile fuses what follows them.
HAS_CONVOLUTIONS = torch.backends.mkldnn.is_available() and hasattr(
    torch.ops.mkldnn, '_convolution_pointwise')
# Of fewer channels a product is as fast as its call.
LEAST_CHANNELS = 64
# Padding, strides, dilation, groups of a convolution that is a product.
_GEOMETRY = ([0, 0], [1, 1], [1, 1], 1)


def convolves(like: Tensor, shape: BlockShape) -> bool:
    """Whether products of blocks are convolutions.

    Args:
        like: a tensor on the device and of the dtype of the products.
        shape: of the blocks.
    """
    return (like.dtype == torch.float32 and like.device.type == 'cpu' and shape.cell_dim == 1
            and shape.channels >= LEAST_CHANNELS and HAS_CONVOLUTIONS and blas_is_slow())


@lru_cache(maxsize=None)
def blas_is_slow() -> bool:
    """Whether this is an AMD CPU with AVX-512 and PyTorch's BLAS is MKL.

    It depends on the CPU and on PyTorch alone, so that the same machine always gives the same numbers.
    """
    cpu = torch.cpu.get_capabilities()
    has_wide_vectors = bool(cpu.get('avx512_f'))
    return torch.backends.mkl.is_available() and has_wide_vectors and 'AMD' in cpu.get('cpu_name', '')


def _count_flops(images: Sequence[int], weight: Sequence[int], *_, out_shape: Sequence[int], **__) -> int:
    return conv_flop_count(images, weight, out_shape)


if HAS_CONVOLUTIONS:
    # torch's counter of operations knows the public convolutions alone.
    register_flop_formula(torch.ops.mkldnn._convolution_pointwise)(_count_flops)


class Images:
    """Blocks (parts, n, C) as images (parts, C, 1, n) that lie channels-last, and back.

    Args:
        shape: of the blocks.
    """

    def __init__(self, shape: BlockShape) -> None:
        parts, n_cells, channels = shape.size
        self.size = (parts, channels, 1, n_cells)
        self._strides = (n_cells * channels, 1, n_cells * channels, channels)
        self._block_size, self._block_strides = shape.size, (n_cells * channels, channels, 1)

    def of(self, block: Tensor) -> Tensor:
        """Returns a contiguous block as images; a view."""
        return block.as_strided(self.size, self._strides)

    def block(self, images: Tensor) -> Tensor:
        """Returns images as a block; a view."""
        return images.as_strided(self._block_size, self._block_strides)


class ConvolutionWeight:
    """A (C, C) weight in the order in which oneDNN multiplies cells with it.

    Args:
        weight: (C, C), maps cells x to weight @ x.
        shape: of the blocks.
    """

    def __init__(self, weight: Tensor, shape: BlockShape) -> None:
        self._images = Images(shape)
        kernel = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
        self._packed = torch.ops.mkldnn._reorder_convolution_weight.default(
            kernel, *_GEOMETRY, self._images.size)

    def product(self, cells: Tensor, bias: Optional[Tensor]) -> Tensor:
        """Returns weight @ cell + bias of a block in new memory."""
        return self._images.block(torch.ops.mkldnn._convolution_pointwise.default(
            self._images.of(cells), self._packed, bias, *_GEOMETRY, 'none', [], ''))

    def add_product(self, cells: Tensor, bias: Optional[Tensor], out: Tensor) -> Tensor:
        """Adds weight @ cell + bias of a block to out, which must be contiguous."""
        torch.ops.mkldnn._convolution_pointwise_.binary(
            self._images.of(out), self._images.of(cells), self._packed, bias, *_GEOMETRY, 'add', 1.0, None,
            [], None)
        return out


def weight_gradient(gradient: Tensor, cells: Tensor, shape: BlockShape) -> Tensor:
    """Returns the sum over the cells of a block of gradient cell^T, (C, C).

    Args:
        gradient: of the products.
        cells: that were multiplied.
        shape: of both.
    """
    padding, stride, dilation, groups = _GEOMETRY
    images, channels = Images(shape), shape.channels
    _, of_weight, _ = torch.ops.aten.convolution_backward.default(
        images.of(gradient), images.of(cells), cells.new_empty((channels, channels, 1, 1)), None,
        stride, padding, dilation, False, [0, 0], groups, (False, True, False))
    return of_weight.view(channels, channels)
