"""Heads of the attention on blocks of cells."""
from functools import cached_property

import torch
from torch import Tensor

from .gemini_convolutions import convolves
from .gemini_layout import BlockShape


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
        dim, size = shape.channel_dim, shape.size
        self._split_size = (*size[:dim], count, shape.channels // count, *size[dim + 1:])

    def sums(self, block: Tensor) -> Tensor:
        """Returns (parts, n, H) or (parts, H, n) sums over the channels of each head."""
        if self.shape.cell_dim == 2 or convolves(block, self.shape):
            return self.split(block).sum(self.shape.channel_dim + 1)
        return torch.bmm(block, self._members)

    @cached_property
    def _members(self) -> Tensor:
        # Where channels lie last and the BLAS is fast, a product with ones is faster than short sums.
        ones = torch.eye(self.count, dtype=self._dtype, device=self._device)
        return ones.repeat_interleave(self.shape.channels // self.count, 0).expand(
            self.shape.parts, self.shape.channels, self.count)

    def split(self, block: Tensor) -> Tensor:
        """Returns the block as (parts, n, H, d) or (parts, H, d, n)."""
        return block.view(self._split_size)

    def spread(self, values: Tensor) -> Tensor:
        """Returns values of heads so that they broadcast to a split block."""
        return values.unsqueeze(self.shape.channel_dim + 1)
