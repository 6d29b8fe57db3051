"""What stands between the matrix products of GeminiFusion, as Triton kernels: the steps of gemini_steps.

The same functions with the same arguments; every tensor is read and written once. Blocks are contiguous, in
either order of cells and channels. Computed in float32, or in double for doubles. Seen equal to
gemini_steps in Triton's interpreter on a CPU; on a GPU nothing has been measured.
"""
from typing import Tuple

import torch
import triton
from torch import Tensor

from . import triton_gemini_kernels as kernels
from .gemini_heads import Heads

# Elements that one program holds at a time.
TILE = 4096


def activate(hidden: Tensor, out: Tensor) -> None:
    """Writes gelu(hidden), the exact one with erf, into out."""
    size = hidden.numel()
    kernels.activate[(triton.cdiv(size, TILE), )](hidden, out, size, WIDE=_wide(hidden), TILE=TILE)


def activate_backward(gradient: Tensor, hidden: Tensor, out: Tensor) -> None:
    """Writes the gradient of hidden, given that of gelu(hidden), into out, which may be hidden."""
    size = hidden.numel()
    kernels.activate_backward[(triton.cdiv(size, TILE), )](
        gradient, hidden, out, size, WIDE=_wide(hidden), TILE=TILE)


def score(own: Tensor, scores: Tensor, gap: Tensor, channel_dim: int) -> None:
    """Turns scores into relation = softmax over channels, and writes own * (1 - relation) into gap."""
    grid, sizes, tile = _cells_by_channels(own, channel_dim, own.shape[channel_dim], 1)
    kernels.score[grid](own, scores, gap, *sizes, own.shape[channel_dim], WIDE=_wide(own), **tile)


def score_backward(own: Tensor, relation: Tensor, minus_gap: Tensor, gradient: Tensor, channel_dim: int
                   ) -> None:
    """Turns minus the gradient of gap into that of the scores, and adds that of own to `gradient`."""
    grid, sizes, tile = _cells_by_channels(own, channel_dim, own.shape[channel_dim], 1)
    kernels.score_backward[grid](
        own, relation, minus_gap, gradient, *sizes, own.shape[channel_dim], WIDE=_wide(own), **tile)


def share(query: Tensor, key: Tensor, spare: Tensor, heads: Heads) -> Tensor:
    """Returns the cross key's share, sigmoid(query . key) of each head; needs no spare memory."""
    del spare
    size = list(query.shape)
    size[heads.shape.channel_dim] = heads.count
    shares = query.new_empty(size, dtype=torch.promote_types(query.dtype, torch.float32))
    grid, sizes, tile, of_heads = _heads(query, shares, heads)
    kernels.share[grid](query, key, shares, *sizes, *of_heads, WIDE=_wide(query), **tile)
    return shares


def weigh(value: Tensor, shares: Tensor, heads: Heads) -> None:
    """Multiplies the channels of each head by its share."""
    grid, sizes, tile, of_heads = _heads(value, shares, heads)
    kernels.weigh[grid](value, shares, *sizes, *of_heads, WIDE=_wide(value), **tile)


def attend_backward(query: Tensor, key: Tensor, value: Tensor, gradient: Tensor, of_query: Tensor,
                    of_key: Tensor, spare: Tensor, heads: Heads, weighed: bool) -> None:
    """Writes the gradients of query and key, turns the value into the weighed value.

    Args:
        query: of the own feature.
        key: cross minus self key.
        value: becomes share * value, unless it is that already.
        gradient: of share * value; becomes that of value.
        of_query: written; may be the key.
        of_key: written; may be the query.
        spare: not needed.
        heads: of the attention.
        weighed: whether value is share * value already.
    """
    del spare
    channels = heads.shape.channels // heads.count
    grid, sizes, tile = _cells_by_channels(query, heads.shape.channel_dim, channels, heads.count)
    kernels.attend_backward[grid](query, key, value, gradient, of_query, of_key, *sizes, channels,
                                  WEIGHED=weighed, WIDE=_wide(query), **tile)


def _heads(block: Tensor, shares: Tensor, heads: Heads) -> Tuple:
    """Returns grid, sizes and strides of the block, tile sizes, and head size with the strides of shares."""
    channel_dim, channels = heads.shape.channel_dim, heads.shape.channels // heads.count
    grid, sizes, tile = _cells_by_channels(block, channel_dim, channels, heads.count)
    strides = (shares.stride(0), shares.stride(3 - channel_dim), shares.stride(channel_dim))
    return grid, sizes, tile, (channels, *strides)


def _cells_by_channels(block: Tensor, channel_dim: int, channels: int, groups: int) -> Tuple:
    """Returns the grid (cells, groups of channels, parts), the block's sizes and strides, and tile sizes."""
    tile_channels = triton.next_power_of_2(channels)
    tile_cells = max(1, TILE // tile_channels)
    n_cells = block.shape[3 - channel_dim]
    grid = (triton.cdiv(n_cells, tile_cells), groups, block.shape[0])
    sizes = n_cells, block.stride(0), block.stride(3 - channel_dim), block.stride(channel_dim)
    return grid, sizes, dict(CELLS=tile_cells, CHANNELS=tile_channels)


def _wide(block: Tensor) -> bool:
    return block.dtype == torch.float64
