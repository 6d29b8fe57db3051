"""Layers of GeminiFusion with lively weights, for comparisons of the operator with its formula."""
from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch import Tensor

from geminifusion3d.fusion.gemini_fusion import GeminiFusionLayer

SWITCHES: List[Dict[str, Any]] = [
    dict(noise=noise, relation=relation, directions=directions)
    for noise in (True, False) for relation in (True, False)
    for directions in ('both', 'camera_from_lidar', 'lidar_from_camera')]


def name_of(switches: Dict[str, Any]) -> str:
    """A test's name for a choice of switches."""
    return '-'.join(f'{key}={value}' for key, value in switches.items()) or 'as published'


def lively_layer(channels: int = 12, heads: int = 3, **switches: Any) -> GeminiFusionLayer:
    """Returns a layer in which no weight and no bias is zero, with logits neither flat nor extreme."""
    torch.manual_seed(0)
    layer = GeminiFusionLayer(channels=channels, heads=heads, **switches)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7 / channels ** 0.5 if parameter.dim() == 2 else 0.3)
    return layer


def maps(shape: Sequence[int], order: str = 'channels last', dtype: torch.dtype = torch.float32
         ) -> Tuple[Tensor, Tensor]:
    """Returns two (..., C) maps that lie in memory as told."""
    torch.manual_seed(1)
    pair = [torch.randn(*shape, dtype=torch.float64).to(dtype) for _ in range(2)]
    first = [one.movedim(-1, 1).contiguous().movedim(1, -1) for one in pair]
    spread = [torch.stack([one, one], dim=-1)[..., 0] for one in pair]
    return {'channels last': (pair[0], pair[1]), 'channels first': (first[0], first[1]),
            'mixed': (pair[0], first[1]), 'spread': (spread[0], spread[1])}[order]


def results_and_gradients(function, inputs: Sequence[Tensor], layer: GeminiFusionLayer) -> List[Tensor]:
    """Returns both maps of the function, then the gradients of the inputs and of every parameter."""
    leaves = [one.detach().requires_grad_() for one in inputs]
    enriched = function(*leaves)
    torch.manual_seed(2)
    total = sum((one * torch.randn(one.shape, dtype=torch.float64).to(one.dtype)).sum() for one in enriched)
    return [*enriched, *torch.autograd.grad(total, [*leaves, *layer.parameters()], materialize_grads=True)]


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Returns the largest difference as a part of the largest value."""
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())
