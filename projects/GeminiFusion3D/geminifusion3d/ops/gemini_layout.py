"""Blocks of cells: how they lie in memory.

A block holds the features of `parts` x `n` cells, as (parts, n, C) where maps lie channels-last and as
(parts, C, n) where they lie channels-first: working in the order of the maps saves their transposition.
Each part is the work of one thread of a CPU: batched products and pointwise operations both give a thread
the same part, so that it stays in the cache of that thread's core.
"""
import math
from typing import List, NamedTuple, Tuple

from torch import Tensor


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
        part = features[start:start + self.parts * self.n_cells].view(self.parts, self.n_cells, self.channels)
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
