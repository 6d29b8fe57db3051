"""What a forward pass changes although no optimiser has stepped: the statistics of batch norm."""
from typing import List

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


def norm_layers(model: nn.Module) -> List[nn.Module]:
    """Returns the layers that keep running statistics (batch norm of any kind)."""
    return [layer for layer in model.modules()
            if isinstance(layer, _NormBase) and layer.track_running_stats]


def true_everywhere(is_true: Tensor) -> bool:
    """Says whether a condition holds on every process.

    Args:
        is_true: the condition on this one, a scalar.
    """
    flag = is_true.float()
    all_reduce(flag, op='min')
    return bool(flag)


class RunningStatistics:
    """Takes back what a bad batch did: one that is not a number would spoil the averages for good.

    Args:
        model: whose batch norms are kept.
    """

    def __init__(self, model: nn.Module) -> None:
        self.buffers = [buffer for layer in norm_layers(model)
                        for buffer in layer.buffers(recurse=False)]
        self.saved: List[Tensor] = []

    def save(self) -> None:
        """Remembers the statistics as they are now."""
        self.saved = [buffer.clone() for buffer in self.buffers]

    @torch.no_grad()
    def restore(self) -> None:
        """Brings back what was saved."""
        for buffer, saved in zip(self.buffers, self.saved):
            buffer.copy_(saved)
