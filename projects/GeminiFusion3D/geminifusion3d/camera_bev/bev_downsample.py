"""Halves the resolution of a camera BEV map that was splatted on cells half as large.

Source: mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py, `downsample`; same layers in the same
order, so that weights carry over once their kernels are turned from (X, Y) to (Y, X).
"""
from torch import nn


def bev_downsample(channels: int, factor: int) -> nn.Module:
    """Returns three 3x3 convolutions of which the middle one strides, or nothing for factor 1.

    Args:
        channels: of the map.
        factor: fine cells a cell, along x and along y.

    Raises:
        ValueError: if the factor is neither 1 nor 2.
    """
    if factor not in (1, 2):
        raise ValueError(f'the camera branch splats on the grid itself or on cells half as large: '
                         f'downsample must be 1 or 2, got {factor}')
    if factor == 1:
        return nn.Identity()
    layers = []
    for stride in (1, factor, 1):
        layers += [nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False),
                   nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
