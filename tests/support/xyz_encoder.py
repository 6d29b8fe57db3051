"""A sparse encoder on (x, y, z) voxels, written with dense convolutions and a mask of active sites.

An independent reference for weights of mmdet3d's BEVFusion: it reads them by their names there.
"""
from typing import Dict, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional

EPS = 1e-3


class Voxels(NamedTuple):
    """Dense features (B, C, X, Y, Z), zero where the mask (B, 1, X, Y, Z) is."""

    features: Tensor
    is_active: Tensor


def encode_xyz(weights: Dict[str, Tensor], voxels: Voxels, *,
               paddings_xyz: Sequence[Tuple[int, int, int]], blocks: int) -> Tensor:
    """Returns the BEV map (B, C * Z, X, Y).

    Args:
        weights: the encoder's, kernels (out, k_x, k_y, k_z, in).
        voxels: its input.
        paddings_xyz: of the strided convolution that ends each stage but the last.
        blocks: residual blocks of each stage.
    """
    x = _convolve(weights, 'conv_input.0', 'conv_input.1', voxels)
    for stage in range(len(paddings_xyz) + 1):
        layer = f'encoder_layers.encoder_layer{stage + 1}'
        for block in range(blocks):
            x = _residual(weights, f'{layer}.{block}', x)
        if stage < len(paddings_xyz):
            x = _convolve(weights, f'{layer}.{blocks}.0', f'{layer}.{blocks}.1', x, stride=(2, 2, 2),
                          padding=paddings_xyz[stage])
    x = _convolve(weights, 'conv_out.0', 'conv_out.1', x, stride=(1, 1, 2), padding=(0, 0, 0))
    return x.features.permute(0, 1, 4, 2, 3).flatten(1, 2)


def _residual(weights: Dict[str, Tensor], name: str, x: Voxels) -> Voxels:
    inner = _convolve(weights, f'{name}.conv1', f'{name}.bn1', x)
    inner = _convolve(weights, f'{name}.conv2', f'{name}.bn2', inner, relu=False)
    return Voxels((inner.features + x.features).relu(), x.is_active)


def _convolve(weights: Dict[str, Tensor], kernel: str, norm: str, x: Voxels, *,
              stride: Tuple[int, int, int] = (1, 1, 1), padding: Tuple[int, int, int] = (1, 1, 1),
              relu: bool = True) -> Voxels:
    """Submanifold where the stride is 1, else active wherever the kernel meets an active site."""
    weight = weights[f'{kernel}.weight'].permute(0, 4, 1, 2, 3)
    convolved = functional.conv3d(x.features, weight, stride=stride, padding=padding)
    is_active = x.is_active
    if stride != (1, 1, 1):
        ones = torch.ones(1, 1, *weight.shape[2:], dtype=weight.dtype)
        is_active = functional.conv3d(x.is_active.to(weight), ones, stride=stride, padding=padding) > 0
    normed = functional.batch_norm(
        convolved, weights[f'{norm}.running_mean'], weights[f'{norm}.running_var'],
        weights[f'{norm}.weight'], weights[f'{norm}.bias'], eps=EPS)
    return Voxels((normed.relu() if relu else normed) * is_active, is_active)
