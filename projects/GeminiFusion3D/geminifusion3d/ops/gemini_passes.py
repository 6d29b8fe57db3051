"""GeminiFusion over whole maps, block by block: forward and backward.

Without kept results the backward pass computes each block once more, and needs nothing but the maps.
"""
import math
from typing import Dict, Iterator, List, Mapping, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from .gemini_block import BACKWARD, FORWARD, ExchangeBlock
from .gemini_block_backward import BlockGradients
from .gemini_convolutions import convolves
from .gemini_kept import kept_names, kept_of_block
from .gemini_layout import BlockShape, plan_blocks
from .gemini_weights import LayerWeights

# Cells that a thread of a CPU takes at a time: few enough for the handful of blocks which are alive to stay
# in the cache of its core, many enough for the calls not to matter. A GPU takes many at a time.
CPU_CELLS, GPU_CELLS = 1440, 65536
# The call of a convolution costs more than that of a product.
CONVOLVED_CELLS = 1800


class Share(NamedTuple):
    """A block's share of the work: its memory, its cells of the maps, where its results go, what is kept."""

    block: ExchangeBlock
    cells: List[Tensor]
    outs: List[Tensor]
    kept: Dict[str, Tensor]


def run_forward(maps: Sequence[Tensor], weights: LayerWeights, kept: Sequence[Tensor] = ()) -> List[Tensor]:
    """Returns the enriched maps of the modalities that read, or their sum.

    Args:
        maps: camera and LiDAR, (..., C) of one shape.
        weights: of the layer.
        kept: memory for what is kept, or nothing.
    """
    results = [empty_map(maps[modality]) for modality in list(weights.readers)[:1 if weights.merged else 2]]
    for block, cells, outs, kept_here in _blocks(maps, results, weights, FORWARD, kept):
        block.begin(*cells, kept_here)
        for modality, out in weights.of_readers(outs).items():
            enrichment = block.enrich(modality, block.in_place(out, 'result' if weights.merged else 'first'))
            if not weights.full:
                # The residual is added in the dtype of the map.
                torch.add(cells[modality], enrichment, out=out)
            elif enrichment is not out:
                out.copy_(enrichment)
    return results


def run_backward(maps: Sequence[Tensor], gradients: Sequence[Tensor], weights: LayerWeights,
                 kept: Sequence[Tensor] = ()) -> Tuple[List[Tensor], List[Tensor]]:
    """Returns the gradients of both maps, and of all weights in their order.

    Args:
        maps: as forward.
        gradients: of the results of forward.
        weights: as forward.
        kept: by forward, or nothing.
    """
    results = [empty_map(one) for one in maps]
    totals = BlockGradients(weights, block_limits(maps[0])[0])
    for block, (camera, lidar, *gradients_here), outs, kept_here in _blocks(
            [*maps, *gradients], results, weights, BACKWARD, kept):
        block.begin(camera, lidar, kept_here)
        of_outs = weights.of_readers(gradients_here)
        of_cells = [block.in_place(out, f'own gradient {modality}') for modality, out in enumerate(outs)]
        totals.add(block, of_outs, of_cells)
        for modality, (of_own, out) in enumerate(zip(of_cells, outs)):
            if not weights.full and modality in of_outs:
                torch.add(of_own, of_outs[modality], out=out)
            elif of_own is not out:
                out.copy_(of_own)
    return results, totals.in_order()


def empty_map(like: Tensor) -> Tensor:
    """Returns memory for a map that lies as another one does, channels-last or channels-first."""
    if is_channels_first(like):
        return torch.empty_like(like.movedim(-1, 1), memory_format=torch.contiguous_format).movedim(1, -1)
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def is_channels_first(one: Tensor) -> bool:
    """Whether a map lies channels-first in memory."""
    return one.dim() > 2 and not one.is_contiguous() and one.movedim(-1, 1).is_contiguous()


def block_limits(like: Tensor, cell_dim: int = 1) -> Tuple[int, int]:
    """Returns the most parts that a block has, and the most cells of a part.

    Args:
        like: (..., C), on the device and of the dtype of the products.
        cell_dim: of the blocks, see BlockShape.
    """
    if like.device.type != 'cpu':
        return 1, GPU_CELLS
    shape = BlockShape(cell_dim, torch.get_num_threads(), 1, like.shape[-1])
    return shape.parts, CONVOLVED_CELLS if convolves(like, shape) else CPU_CELLS


def _samples(maps: Sequence[Tensor], merge: bool) -> List[Tensor]:
    samples = 1 if merge else len(maps[0])
    return [one.reshape(samples, math.prod(one.shape[:-1]) // max(samples, 1), one.shape[-1]) for one in maps]


def _blocks(maps: Sequence[Tensor], results: Sequence[Tensor], weights: LayerWeights,
            memory: Mapping[str, str], kept: Sequence[Tensor]) -> Iterator[Share]:
    merge = all(one.is_contiguous() for one in [*maps, *results])
    cell_dim = 2 if all(map(is_channels_first, maps[:2])) else 1
    merge = merge or maps[0].dim() == 2
    inputs, outputs = _samples(maps, merge), _samples(results, merge)
    blocks: Dict[BlockShape, ExchangeBlock] = {}
    limits = block_limits(next(iter(weights.readers.values())).query, cell_dim)
    n_samples, n_cells_of_sample = inputs[0].shape[:2]
    names = kept_names(weights)
    for sample in range(n_samples):
        for start, parts, n_cells in plan_blocks(n_cells_of_sample, *limits):
            shape = BlockShape(cell_dim, parts, n_cells, maps[0].shape[-1])
            if shape not in blocks:
                blocks[shape] = ExchangeBlock(shape, weights, memory=memory)
            yield Share(blocks[shape], *([shape.cells(one[sample], start) for one in group]
                                         for group in (inputs, outputs)),
                        kept_of_block(kept, names, shape, sample * n_cells_of_sample + start))
