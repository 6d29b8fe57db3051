"""The splat as Triton kernels: a program a cell forwards, a program a pixel backwards.

Each sum has one program that adds in a fixed order, so that a run repeats to the last bit; nothing is
added atomically. A crowded cell, such as one beside the car, has a program for each part of its pairs and one
that adds the parts in their order: else all others would wait for it.
"""
from typing import Tuple

import torch
import triton
import triton.language as tl
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from .splat_plan import SplatPlan

# Channels are constants of a kernel: rows of four times as many floats are read four floats at a time.
# Pairs whose features are read at once.
PAIRS = 16
# Pairs of a cell that one program adds.
PART = 512


@triton.jit
def _sum_parts(features, weights, pair, pixel, offsets, cell_of_extra, extra_ends, sums, n_cells,
               n_channels: tl.constexpr, PAIRS: tl.constexpr, PART: tl.constexpr, CHANNELS: tl.constexpr):
    # Rows of the sums: the first part of each cell, then further parts, of which there may be fewer.
    row = tl.program_id(0).to(tl.int64)
    cell, part = row, row * 0
    if row >= n_cells:
        cell = tl.load(cell_of_extra + row - n_cells)
        if cell == n_cells:
            return
        count = tl.load(offsets + cell + 1) - tl.load(offsets + cell)
        part = row - n_cells - tl.load(extra_ends + cell) + (count - 1) // PART + 1
    begin = tl.load(offsets + cell) + part * PART
    end = tl.minimum(begin + PART, tl.load(offsets + cell + 1))
    channel = tl.arange(0, CHANNELS)
    is_channel = channel < n_channels
    total = tl.zeros((PAIRS, CHANNELS), dtype=sums.dtype.element_ty)
    for first in range(begin, end, PAIRS):
        place = first + tl.arange(0, PAIRS)
        is_pair = place < end
        weight = tl.load(weights + tl.load(pair + place, is_pair, 0), is_pair, 0)
        here = tl.load(pixel + place, is_pair, 0).to(tl.int64)
        total += weight[:, None] * tl.load(features + here[:, None] * n_channels + channel[None, :],
                                           is_pair[:, None] & is_channel[None, :], 0)
    tl.store(sums + row * n_channels + channel, tl.sum(total, 0), is_channel)


@triton.jit
def _join_parts(offsets, cell_of_extra, extra_ends, sums, n_cells, n_channels: tl.constexpr,
                PART: tl.constexpr, CHANNELS: tl.constexpr):
    extra = tl.program_id(0).to(tl.int64)
    cell = tl.load(cell_of_extra + extra)
    if cell == n_cells:
        return
    last = tl.load(extra_ends + cell)
    first = last - (tl.load(offsets + cell + 1) - tl.load(offsets + cell) - 1) // PART
    if extra == first:
        channel = tl.arange(0, CHANNELS)
        is_channel = channel < n_channels
        total = tl.load(sums + cell * n_channels + channel, is_channel, 0)
        for part in range(first, last):
            total += tl.load(sums + (n_cells + part) * n_channels + channel, is_channel, 0)
        tl.store(sums + cell * n_channels + channel, total, is_channel)


@triton.jit
def _differentiate_pixels(features, weights, cells, gradient, feature_gradient, weight_gradient,
                          n_channels: tl.constexpr, n_depths, height,
                          PAIRS: tl.constexpr, CHANNELS: tl.constexpr):
    pixel = tl.program_id(0).to(tl.int64)
    first_pair = pixel // height * n_depths * height + pixel % height
    channel = tl.arange(0, CHANNELS)
    is_channel = channel < n_channels
    feature = tl.load(features + pixel * n_channels + channel, is_channel, 0)
    total = tl.zeros((PAIRS, CHANNELS), dtype=feature_gradient.dtype.element_ty)
    for first in range(0, n_depths, PAIRS):
        depth = first + tl.arange(0, PAIRS)
        is_depth = depth < n_depths
        pair = first_pair + depth * height
        cell = tl.load(cells + pair, is_depth, -1).to(tl.int64)
        weight = tl.load(weights + pair, is_depth, 0)
        # Zeros stand for what lies outside: it has no gradient.
        upstream = tl.load(gradient + cell[:, None] * n_channels + channel[None, :],
                           (cell >= 0)[:, None] & is_channel[None, :], 0)
        total += tl.where((cell >= 0)[:, None], weight[:, None] * upstream, 0)
        tl.store(weight_gradient + pair, tl.where(cell >= 0, tl.sum(upstream * feature[None, :], 1), 0),
                 is_depth)
    tl.store(feature_gradient + pixel * n_channels + channel, tl.sum(total, 0), is_channel)


def splat_forward(features: Float[Tensor, 'p c'], weights: Float[Tensor, 'g d h'], plan: SplatPlan
                  ) -> Float[Tensor, 'n_cells c']:
    """Returns the (n_cells, C) sums.

    Args:
        features: (G * H, C) contiguous.
        weights: (G, D, H) contiguous, of the same dtype.
        plan: their plan.
    """
    n_channels, n_cells = features.shape[1], plan.n_cells
    # Parts behind the first of each cell; as many as there can be, since their number is on the device.
    n_extras = len(plan.pair) // PART
    extra_ends = plan.offsets.diff().sub_(1).clamp_(min=0).floor_divide_(PART).cumsum(0)
    extras = torch.arange(n_extras, device=extra_ends.device, dtype=extra_ends.dtype)
    cell_of_extra = torch.searchsorted(extra_ends, extras, right=True)
    sums = features.new_empty(n_cells + n_extras, n_channels)
    sizes = dict(PART=PART, CHANNELS=triton.next_power_of_2(n_channels))
    with _device_of(features):
        _sum_parts[(n_cells + n_extras,)](features, weights, plan.pair, plan.pixel, plan.offsets,
                                          cell_of_extra, extra_ends, sums, n_cells, n_channels, PAIRS=PAIRS,
                                          **sizes)
        if n_extras:
            _join_parts[(n_extras,)](plan.offsets, cell_of_extra, extra_ends, sums, n_cells, n_channels,
                                     **sizes)
    return sums[:n_cells]


def splat_backward(features: Float[Tensor, 'p c'], weights: Float[Tensor, 'g d h'],
                   gradient: Float[Tensor, 'n_cells c'], cells: Int[Tensor, 'g d h']
                   ) -> Tuple[Float[Tensor, 'p c'], Float[Tensor, 'g d h']]:
    """Returns the gradients of features and weights.

    Args:
        features: (G * H, C) contiguous.
        weights: (G, D, H) contiguous, of the same dtype.
        gradient: (n_cells, C) contiguous, of the sums.
        cells: (G, D, H) cell of each pair, -1 outside.
    """
    n_channels, (_, n_depths, height) = features.shape[1], weights.shape
    results = torch.empty_like(features), torch.empty_like(weights)
    with _device_of(features):
        _differentiate_pixels[(len(features),)](
            features, weights, cells, gradient, *results, n_channels, n_depths, height, PAIRS=PAIRS,
            CHANNELS=triton.next_power_of_2(n_channels))
    return results


def _device_of(tensor: Shaped[Tensor, '...']) -> torch.cuda.device:
    """Makes the device of a tensor the current one, to which Triton launches; nothing for a CPU."""
    return torch.cuda.device(tensor.device if tensor.is_cuda else -1)
