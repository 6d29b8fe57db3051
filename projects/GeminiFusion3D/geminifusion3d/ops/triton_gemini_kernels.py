"""Triton kernels of GeminiFusion's pointwise steps; triton_gemini launches them.

A program holds a tile of CELLS x CHANNELS: cells of one part, channels of one group (all channels, or those
of one head). WIDE computes in double, otherwise in float32.
"""
import triton
import triton.language as tl

SQRT_HALF = tl.constexpr(0.7071067811865476)
INVERSE_SQRT_2PI = tl.constexpr(0.3989422804014327)


@triton.jit
def _wide(values, WIDE: tl.constexpr):
    return values.to(tl.float64) if WIDE else values.to(tl.float32)


@triton.jit
def _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS: tl.constexpr,
            CHANNELS: tl.constexpr):
    """Offsets of a tile, and which of them exist."""
    cells = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    in_group = tl.arange(0, CHANNELS)
    first = tl.program_id(1) * channels
    start = tl.program_id(2).to(tl.int64) * part_stride
    offsets = start + cells[:, None].to(tl.int64) * cell_stride + (first + in_group)[None, :] * channel_stride
    return offsets, (cells[:, None] < n_cells) & (in_group[None, :] < channels)


@triton.jit
def _head_places(n_cells, part_stride, cell_stride, head_stride, CELLS: tl.constexpr):
    """Offsets of one head's shares, and which of them exist."""
    cells = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    start = tl.program_id(2).to(tl.int64) * part_stride + tl.program_id(1) * head_stride
    return start + cells.to(tl.int64) * cell_stride, cells < n_cells


@triton.jit
def activate(hidden, out, size, WIDE: tl.constexpr, TILE: tl.constexpr):
    """gelu with erf."""
    offsets = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    exists = offsets < size
    x = _wide(tl.load(hidden + offsets, exists, other=0.0), WIDE)
    tl.store(out + offsets, 0.5 * x * (1.0 + tl.erf(x * SQRT_HALF)), exists)


@triton.jit
def activate_backward(gradient, hidden, out, size, WIDE: tl.constexpr, TILE: tl.constexpr):
    """out = gradient times the derivative of gelu, Phi(x) + x phi(x)."""
    offsets = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    exists = offsets < size
    x = _wide(tl.load(hidden + offsets, exists, other=0.0), WIDE)
    slope = 0.5 * (1.0 + tl.erf(x * SQRT_HALF)) + x * INVERSE_SQRT_2PI * tl.exp(-0.5 * x * x)
    of_out = _wide(tl.load(gradient + offsets, exists, other=0.0), WIDE)
    tl.store(out + offsets, of_out * slope, exists)


@triton.jit
def score(own, scores, gap, n_cells, part_stride, cell_stride, channel_stride, channels, WIDE: tl.constexpr,
          CELLS: tl.constexpr, CHANNELS: tl.constexpr):
    """scores = softmax over channels; gap = own * (1 - scores)."""
    offsets, exists = _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS, CHANNELS)
    # Not -inf for what does not exist: a cell beyond the last one would make NaN of it.
    x = tl.where(exists, _wide(tl.load(scores + offsets, exists, other=0.0), WIDE), -1e30)
    x = tl.exp(x - tl.max(x, axis=1)[:, None])
    relation = x / tl.sum(x, axis=1)[:, None]
    tl.store(scores + offsets, relation, exists)
    feature = _wide(tl.load(own + offsets, exists, other=0.0), WIDE)
    tl.store(gap + offsets, feature - feature * relation, exists)


@triton.jit
def score_backward(own, relation, minus_gap, gradient, n_cells, part_stride, cell_stride, channel_stride,
                   channels, WIDE: tl.constexpr, CELLS: tl.constexpr, CHANNELS: tl.constexpr):
    """gradient -= minus_gap * (1 - relation); minus_gap = gradient of the scores."""
    offsets, exists = _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS, CHANNELS)
    r = _wide(tl.load(relation + offsets, exists, other=0.0), WIDE)
    minus = _wide(tl.load(minus_gap + offsets, exists, other=0.0), WIDE)
    feature = _wide(tl.load(own + offsets, exists, other=0.0), WIDE)
    of_own = _wide(tl.load(gradient + offsets, exists, other=0.0), WIDE)
    tl.store(gradient + offsets, of_own - minus * (1.0 - r), exists)
    of_relation = minus * feature
    total = tl.sum(of_relation * r, axis=1)[:, None]
    tl.store(minus_gap + offsets, r * (of_relation - total), exists)


@triton.jit
def share(query, key, shares, n_cells, part_stride, cell_stride, channel_stride, channels, share_part_stride,
          share_cell_stride, share_head_stride, WIDE: tl.constexpr, CELLS: tl.constexpr,
          CHANNELS: tl.constexpr):
    """shares = sigmoid of the sum over a head's channels of query * key."""
    offsets, exists = _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS, CHANNELS)
    q = _wide(tl.load(query + offsets, exists, other=0.0), WIDE)
    k = _wide(tl.load(key + offsets, exists, other=0.0), WIDE)
    places, cell_exists = _head_places(
        n_cells, share_part_stride, share_cell_stride, share_head_stride, CELLS)
    tl.store(shares + places, 1.0 / (1.0 + tl.exp(-tl.sum(q * k, axis=1))), cell_exists)


@triton.jit
def weigh(value, shares, n_cells, part_stride, cell_stride, channel_stride, channels, share_part_stride,
          share_cell_stride, share_head_stride, WIDE: tl.constexpr, CELLS: tl.constexpr,
          CHANNELS: tl.constexpr):
    """value *= its head's share."""
    offsets, exists = _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS, CHANNELS)
    places, cell_exists = _head_places(
        n_cells, share_part_stride, share_cell_stride, share_head_stride, CELLS)
    factor = tl.load(shares + places, cell_exists, other=0.0)[:, None]
    tl.store(value + offsets, _wide(tl.load(value + offsets, exists, other=0.0), WIDE) * factor, exists)


@triton.jit
def attend_backward(query, key, value, gradient, of_query, of_key, n_cells, part_stride, cell_stride,
                    channel_stride, channels, WEIGHED: tl.constexpr, WIDE: tl.constexpr, CELLS: tl.constexpr,
                    CHANNELS: tl.constexpr):
    """Gradients of sigmoid(query . key) * value, each in the place that triton_gemini tells."""
    offsets, exists = _places(n_cells, part_stride, cell_stride, channel_stride, channels, CELLS, CHANNELS)
    q = _wide(tl.load(query + offsets, exists, other=0.0), WIDE)
    k = _wide(tl.load(key + offsets, exists, other=0.0), WIDE)
    v = _wide(tl.load(value + offsets, exists, other=0.0), WIDE)
    of_out = _wide(tl.load(gradient + offsets, exists, other=0.0), WIDE)
    factor = 1.0 / (1.0 + tl.exp(-tl.sum(q * k, axis=1)))[:, None]
    if not WEIGHED:
        v = v * factor
        tl.store(value + offsets, v, exists)
    of_logit = tl.sum(of_out * v, axis=1)[:, None] * (1.0 - factor)
    tl.store(of_key + offsets, q * of_logit, exists)
    tl.store(of_query + offsets, k * of_logit, exists)
    tl.store(gradient + offsets, of_out * factor, exists)
