"""Blocks of cells: how they lie in memory, and their matrix products.

A block holds the features of `parts` x `n` cells, as (parts, n, C) where maps lie channels-last and as
(parts, C, n) where they lie channels-first: working in the order of the maps saves their transposition.
Each part is the work of one thread of a CPU: batched products and pointwise operations both give a thread
the same part, so that it stays in the cache of that thread's core.
"""
import math
from functools import cached_property
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

# Bias vectors are repeated in memory, up to so often: copying short rows costs more than the bytes do.
BIAS_ROWS = 8


class BlockShape(NamedTuple):
    """Shape of a block.

    Args:
        cell_dim: dimension of the cells: 1 for (parts, n, C), 2 for (parts, C, n).
        parts: parts of a block.
        n_cells: n, cells of a part.
        channels: C.
    """

    cell_dim: int
    parts: int
    n_cells: int
    channels: int

    @property
    def channel_dim(self) -> int:
        """Dimension of the channels."""
        return 3 - self.cell_dim

    @property
    def size(self) -> Tuple[int, int, int]:
        """Sizes of a block's dimensions."""
        return ((self.parts, self.n_cells, self.channels) if self.cell_dim == 1
                else (self.parts, self.channels, self.n_cells))

    def cells(self, features: Tensor, start: int) -> Tensor:
        """Returns a block of (N, C) features from a cell on; a view."""
        part = features[start:start + self.parts * self.n_cells].unflatten(0, (self.parts, self.n_cells))
        return part if self.cell_dim == 1 else part.transpose(1, 2)


def plan_blocks(n_cells: int, parts: int, cells_per_part: int) -> List[Tuple[int, int, int]]:
    """Cuts cells into as few blocks as possible, as even as possible: each shape has its own memory.

    Args:
        n_cells: of a map.
        parts: of a block.
        cells_per_part: at most.

    Returns:
        (first cell, parts, cells of a part) of each block; the last ones may be smaller, or of one part.
    """
    blocks, start = [], 0
    n_blocks = math.ceil(n_cells / (parts * cells_per_part))
    even_size = math.ceil(n_cells / (parts * max(n_blocks, 1)))
    while start < n_cells:
        size = min(even_size, (n_cells - start) // parts)
        block = (start, parts, size) if size else (start, 1, n_cells - start)
        blocks.append(block)
        start += block[1] * block[2]
    return blocks


class Projection:
    """weight @ cell + bias, and its gradients, on blocks of one shape.

    Args:
        weight: (C, C).
        bias: (C,), or None.
        shape: of the blocks.
    """

    def __init__(self, weight: Tensor, bias: Optional[Tensor], shape: BlockShape) -> None:
        self.cells_first = shape.cell_dim == 1
        self.matrix = weight.expand(shape.parts, *weight.shape)
        self.transposed = self.matrix.transpose(1, 2)
        self.bias = None
        if bias is not None:
            rows = max(rows for rows in range(1, BIAS_ROWS + 1) if shape.n_cells % rows == 0)
            rows = rows if self.cells_first else 1
            self.bias_view = (shape.parts, shape.n_cells // rows, rows * shape.channels)
            self.bias = (bias.repeat(rows).expand(self.bias_view) if self.cells_first
                         else bias[:, None].expand(shape.size))

    def write(self, cells: Tensor, out: Tensor) -> Tensor:
        """Writes the projection of the cells into out, which must be contiguous."""
        torch.bmm(*self._factors(cells), out=out)
        if self.bias is not None:
            # Afterwards: a product hides that its result's memory is not in the cache yet, a copy does not.
            out.view(self.bias_view if self.cells_first else out.shape).add_(self.bias)
        return out

    def add(self, cells: Tensor, out: Tensor) -> Tensor:
        """Adds the projection of the cells, without the bias, to out."""
        return out.baddbmm_(*self._factors(cells))

    def write_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """Writes the cells' gradient into out, given the projection's."""
        return torch.bmm(*self._factors_back(gradient), out=out)

    def add_back(self, gradient: Tensor, out: Tensor) -> Tensor:
        """Adds the cells' gradient to out, given the projection's."""
        return out.baddbmm_(*self._factors_back(gradient))

    def _factors(self, cells: Tensor) -> Tuple[Tensor, Tensor]:
        return (cells, self.transposed) if self.cells_first else (self.matrix, cells)

    def _factors_back(self, gradient: Tensor) -> Tuple[Tensor, Tensor]:
        return (gradient, self.matrix) if self.cells_first else (self.transposed, gradient)


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
        factors = ((gradient.transpose(1, 2), cells) if shape.cell_dim == 1
                   else (gradient, cells.transpose(1, 2)))
        total = self.weight[:shape.parts]
        if total.dtype == cells.dtype:
            total.baddbmm_(*factors)
        else:
            total.add_(torch.bmm(*factors))
        if bias:
            # Each part by itself, as everywhere: a sum over all parts would fetch them from other caches.
            total = self.biases[:shape.parts]
            if shape.cell_dim == 1 and total.dtype == gradient.dtype:
                if shape not in self._ones:
                    self._ones[shape] = total.new_ones((shape.parts, 1, shape.n_cells))
                total.baddbmm_(self._ones[shape], gradient)
            else:
                total.add_(gradient.sum(shape.cell_dim, dtype=total.dtype).unsqueeze(1))


class Heads:
    """Sums over the channels of each head, and what goes back from heads to channels.

    Args:
        count: H.
        shape: of the blocks.
        dtype: of the sums.
        device: of the sums.
    """

    def __init__(self, count: int, shape: BlockShape, dtype: torch.dtype, device: torch.device) -> None:
        self.count, self.shape = count, shape
        self._dtype, self._device = dtype, device

    def sums(self, block: Tensor) -> Tensor:
        """Returns (parts, n, H) or (parts, H, n) sums over the channels of each head."""
        if self.shape.cell_dim == 1:
            return torch.bmm(block, self._members)
        return self.split(block).sum(2)

    @cached_property
    def _members(self) -> Tensor:
        # Where channels lie last, a product with ones is faster than short sums.
        ones = torch.eye(self.count, dtype=self._dtype, device=self._device)
        return ones.repeat_interleave(self.shape.channels // self.count, 0).expand(
            self.shape.parts, self.shape.channels, self.count)

    def split(self, block: Tensor) -> Tensor:
        """Returns the block as (parts, n, H, d) or (parts, H, d, n)."""
        return block.unflatten(self.shape.channel_dim, (self.count, -1))

    def spread(self, values: Tensor) -> Tensor:
        """Returns values of heads so that they broadcast to a split block."""
        return values.unsqueeze(self.shape.channel_dim + 1)
