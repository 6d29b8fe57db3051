"""How far each sensor is to be trusted, cell by cell, told to any fuser by weighing its maps.

Modality dropout alone teaches a fuser with fixed weights a compromise that costs accuracy when every sensor
is there; a gate that sees the maps and which sensors there are wins it back, as Grace-BEV reports for
BEVFusion. GeminiFusion has a gate of its own, the attention, but one that is not told of absent sensors.
"""
from typing import Optional, Tuple

import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class GeminiReliabilityGate(BaseModule):
    """Multiplies each map by 2 sigmoid(W2 relu(W1 [all maps ; which sensors are there])), 1 at the start.

    Args:
        channels: C of every map.
        modalities: N, how many maps there are.
        per_channel: a weight for each channel of a cell instead of one for the cell.
        hidden_channels: between the two layers.
    """

    def __init__(self, *, channels: int, modalities: int = 2, per_channel: bool = False,
                 hidden_channels: int = 32) -> None:
        super().__init__()
        self.modalities = modalities
        self.score = nn.Sequential(
            nn.Conv2d(modalities * (channels + 1), hidden_channels, 1), nn.ReLU(),
            nn.Conv2d(hidden_channels, modalities * (channels if per_channel else 1), 1))
        for parameter in self.score[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, *maps: Tensor, is_present: Optional[Bool[Tensor, 'b n']] = None
                ) -> Tuple[Float[Tensor, 'b c y x'], ...]:
        """Returns the weighed maps.

        Args:
            *maps: each (B, C, Y, X), always in the same order.
            is_present: of each sample and map; None where all are there.
        """
        weights = self.weights(*maps, is_present=is_present)
        return tuple(bev * weight.to(bev.dtype)
                     for bev, weight in zip(maps, weights.chunk(self.modalities, dim=1)))

    def weights(self, *maps: Tensor, is_present: Optional[Bool[Tensor, 'b n']] = None
                ) -> Float[Tensor, 'b weights y x']:
        """Returns the weights from 0 to 2, those of the first map first.

        Args:
            *maps: as for forward.
            is_present: as for forward.

        Raises:
            ValueError: if there are not N maps of one shape.
        """
        if len(maps) != self.modalities or any(bev.shape != maps[0].shape for bev in maps):
            raise ValueError(f'this gate needs {self.modalities} maps of one shape, got '
                             f'{[tuple(bev.shape) for bev in maps]}; align them first')
        flags = torch.ones_like(maps[0][:, :1]).expand(-1, self.modalities, -1, -1)
        if is_present is not None:
            flags = flags * is_present[:, :, None, None]
        return 2 * self.score(torch.cat([*maps, flags], dim=1)).sigmoid()
