"""What the forward pass of GeminiFusion keeps for the backward pass on a CPU: what products have brought.

Ten maps of both directions, which would cost ten of the products once more. All else is computed once more.
A GPU, where memory is short and products are fast, and maps that lie channels-first keep nothing.
"""
from typing import Dict, List, Sequence

from torch import Tensor

from .gemini_layout import BlockShape
from .gemini_weights import LayerWeights
from .reused_memory import ReusedMemory

# Of each direction; the value is weighed. Those of the relation network first.
OF_RELATION, OF_ATTENTION = ('hidden', 'relation'), ('query', 'key', 'value')
MEMORY = ReusedMemory()


def kept_names(weights: LayerWeights) -> List[str]:
    """Returns the names of the maps that are kept, in their order.

    Args:
        weights: of the layer.
    """
    names = (OF_RELATION if weights.relation is not None else ()) + OF_ATTENTION
    return [f'{name} {modality}' for modality in weights.readers for name in names]


def empty_kept(maps: Sequence[Tensor], weights: LayerWeights) -> Tensor:
    """Returns memory (names, cells, C) for what is kept.

    Args:
        maps: camera and LiDAR, (..., C) of one shape.
        weights: of the layer.
    """
    size = kept_size(maps[0], len(kept_names(weights)))
    return MEMORY.empty(size, maps[0].dtype)


def kept_size(one: Tensor, names: int) -> List[int]:
    """Returns the size of what is kept for maps like one."""
    return [names, one.shape[:-1].numel(), one.shape[-1]]


def kept_of_block(kept: Sequence[Tensor], names: Sequence[str], shape: BlockShape, first: int
                  ) -> Dict[str, Tensor]:
    """Returns a block's part of each kept map, by name; views.

    Args:
        kept: of all cells, or nothing.
        names: of the maps.
        shape: of the block.
        first: number of its first cell.
    """
    if not kept:
        return {}
    cells = kept[0][:, first:first + shape.parts * shape.n_cells]
    return dict(zip(names, cells.view(len(names), *shape.size).unbind()))
