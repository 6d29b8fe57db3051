"""Matrix products of blocks of cells with the weights of a layer, and their gradients."""
from functools import cached_property
from typing import Callable, Dict, Optional, Tuple

import torch
from torch import Tensor

from .gemini_convolutions import ConvolutionWeight, convolves, weight_gradient
from .gemini_layout import BlockShape

# Bias vectors are repeated in memory, up to so often: copying short rows costs more than the bytes do.
BIAS_ROWS = 8


def projection(weight: Tensor, bias: Optional[Tensor], shape: BlockShape) -> 'Projection':
    """Returns the projection by the library that is fast on this machine; see Projection."""
    return (ConvolvedProjection if convolves(weight, shape) else BatchedProjection)(weight, bias, shape)


class Projection:
    """weight @ cell + bias, and its gradients, on blocks of one shape.

    Args:
        weight: (C, C).
        bias: (C,), or None.
        shape: of the blocks.
    """

    def __init__(self, weight: Tensor, bias: Optional[Tensor], shape: BlockShape) -> None:
        self.weight, self.bias, self.shape = weight, bias, shape

    def make(self, cells: Tensor, memory: Callable[[], Tensor]) -> Tensor:
        """Returns the projection of the cells.

        Args:
            cells: a block.
            memory: gives memory for the result, if that is of use.
        """
        return self.write(cells, memory())

    def write(self, cells: Tensor, out: Tensor) -> Tensor:
        """Writes the projection of the cells into out, which must be contiguous."""
        raise NotImplementedError

    def add(self, cells: Tensor, out: Tensor) -> Tensor:
        """Adds the projection of the cells, without the bias, to out."""
        raise NotImplementedError

    def make_back(self, gradient: Tensor, memory: Callable[[], Tensor]) -> Tensor:
        """Returns the cells' gradient, given the projection's; see make."""
        return self.write_back(gradient, memory())

    def write_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """Writes the cells' gradient into out, given the projection's."""
        raise NotImplementedError

    def add_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """Adds the cells' gradient to out, given the projection's."""
        raise NotImplementedError


class BatchedProjection(Projection):
    """A projection by the BLAS: of each part with the same weight; see Projection."""

    def __init__(self, weight: Tensor, bias: Optional[Tensor], shape: BlockShape) -> None:
        super().__init__(weight, bias, shape)
        self.cells_first = shape.cell_dim == 1
        self.matrix = weight.expand(shape.parts, *weight.shape)
        self.transposed = self.matrix.transpose(1, 2)
        if bias is not None:
            rows = max(rows for rows in range(1, BIAS_ROWS + 1) if shape.n_cells % rows == 0)
            rows = rows if self.cells_first else 1
            self.bias_view = (shape.parts, shape.n_cells // rows, rows * shape.channels)
            self.bias = (bias.repeat(rows).expand(self.bias_view) if self.cells_first
                         else bias[:, None].expand(shape.size))

    def write(self, cells: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        torch.bmm(*self._factors(cells), out=out)
        if self.bias is not None:
            # Afterwards: a product hides that its result's memory is not in the cache yet, a copy does not.
            out.view(self.bias_view if self.cells_first else out.shape).add_(self.bias)
        return out

    def add(self, cells: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return out.baddbmm_(*self._factors(cells))

    def write_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return torch.bmm(*self._factors_back(gradient), out=out)

    def add_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return out.baddbmm_(*self._factors_back(gradient))

    def _factors(self, cells: Tensor) -> Tuple[Tensor, Tensor]:
        return (cells, self.transposed) if self.cells_first else (self.matrix, cells)

    def _factors_back(self, gradient: Tensor) -> Tuple[Tensor, Tensor]:
        return (gradient, self.matrix) if self.cells_first else (self.transposed, gradient)


class ConvolvedProjection(Projection):
    """A projection by oneDNN, which works fastest in memory of its own; see Projection."""

    def make(self, cells: Tensor, memory: Callable[[], Tensor]) -> Tensor:
        """See Projection."""
        return self._ahead.product(cells, self.bias)

    def write(self, cells: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return self._ahead.add_product(cells, self.bias, out.zero_())

    def add(self, cells: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return self._ahead.add_product(cells, None, out)

    def make_back(self, gradient: Tensor, memory: Callable[[], Tensor]) -> Tensor:
        """See Projection."""
        return self._backwards.product(gradient, None)

    def write_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return self._backwards.add_product(gradient, None, out.zero_())

    def add_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """See Projection."""
        return self._backwards.add_product(gradient, None, out)

    @cached_property
    def _ahead(self) -> ConvolutionWeight:
        return ConvolutionWeight(self.weight, self.shape)

    @cached_property
    def _backwards(self) -> ConvolutionWeight:
        return ConvolutionWeight(self.weight.t(), self.shape)


class ProjectionGradient:
    """Gradients of a projection's weight and bias, summed over blocks; in float32 for half precision.

    Args:
        weight: (C, C), of the projection.
        parts: the most parts that a block has.
    """

    def __init__(self, weight: Tensor, parts: int) -> None:
        dtype = torch.promote_types(weight.dtype, torch.float32)
        self.weight = weight.new_zeros((parts, *weight.shape), dtype=dtype)
        self.biases = weight.new_zeros((parts, 1, weight.shape[0]), dtype=dtype)
        self._ones: Dict[BlockShape, Tensor] = {}

    @property
    def bias(self) -> Tensor:
        """Gradient of the bias."""
        return self.biases.sum((0, 1))

    def add(self, gradient: Tensor, cells: Tensor, shape: BlockShape, bias: bool = True) -> None:
        """Adds a block's share: gradient of the projection, and the cells that were projected."""
        if convolves(cells, shape):
            self.weight[0].add_(weight_gradient(gradient, cells, shape))
        else:
            self._add_products(gradient, cells, shape)
        if bias:
            # Each part by itself, as everywhere: a sum over all parts would fetch them from other caches.
            total = self.biases[:shape.parts]
            if shape.cell_dim == 1 and total.dtype == gradient.dtype:
                if shape not in self._ones:
                    self._ones[shape] = total.new_ones((shape.parts, 1, shape.n_cells))
                total.baddbmm_(self._ones[shape], gradient)
            else:
                total.add_(gradient.sum(shape.cell_dim, dtype=total.dtype).unsqueeze(1))

    def _add_products(self, gradient: Tensor, cells: Tensor, shape: BlockShape) -> None:
        factors = ((gradient.transpose(1, 2), cells) if shape.cell_dim == 1
                   else (gradient, cells.transpose(1, 2)))
        total = self.weight[:shape.parts]
        if total.dtype == cells.dtype:
            total.baddbmm_(*factors)
        else:
            total.add_(torch.bmm(*factors))
