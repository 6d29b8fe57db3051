"""What a forward pass changes although no optimiser has stepped: the statistics of batch norm."""
from typing import List

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


def norm_layers(model: nn.Module) -> List[nn.Module]:
    """Returns the layers that keep running statistics (batch norm of any kind)."""
    return [layer for layer in model.modules()
            if isinstance(layer, _NormBase) and layer.track_running_stats]


class RunningStatistics:
    """Takes back what a bad batch did: one that is not a number would spoil the averages for good.

    Args:
        model: whose batch norms are kept.
    """

    def __init__(self, model: nn.Module) -> None:
        buffers = [buffer for layer in norm_layers(model) for buffer in layer.buffers(recurse=False)]
        # One operation for all buffers of a type, into memory that stays.
        self.groups = [[buffer for buffer in buffers if buffer.dtype == dtype]
                       for dtype in sorted({buffer.dtype for buffer in buffers}, key=str)]
        self.saved = [torch.cat([buffer.flatten() for buffer in group]) for group in self.groups]

    @torch.no_grad()
    def save(self) -> None:
        """Remembers the statistics as they are now."""
        for group, saved in zip(self.groups, self.saved):
            torch.cat([buffer.flatten() for buffer in group], out=saved)

    @torch.no_grad()
    def restore(self) -> None:
        """Brings back what was saved."""
        for group, saved in zip(self.groups, self.saved):
            for buffer, values in zip(group, saved.split([buffer.numel() for buffer in group])):
                buffer.copy_(values.view_as(buffer))
