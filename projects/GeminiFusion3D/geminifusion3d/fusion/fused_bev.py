"""What a fuser returns that has losses of its own."""
from typing import Dict, NamedTuple, Tuple, Union

from torch import Tensor


class FusedBEV(NamedTuple):
    """A fused map with the losses of its making; a fuser without losses returns the bare map.

    Attributes:
        bev: (B, C, Y, X), or the levels of such maps, finest first, where the fuser is the BEV backbone too.
        losses: by name, each begins with `loss`.
    """

    bev: Union[Tensor, Tuple[Tensor, ...]]
    losses: Dict[str, Tensor]
