"""Supervises the depth distribution with the nearest LiDAR return of each feature cell.

Source: BEVDepth (Li et al., AAAI 2023), section 3.2, and its code (exps/nuscenes/base_exp.py): the one-hot
bin of the nearest return, binary cross entropy summed over the bins, averaged over the feature cells
that hold a return.
"""
from typing import Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from .lift import Frustum

# Of a feature cell without a return between the near and the far end of the bins.
NO_BIN = -1


def depth_loss(depth_probability: Float[Tensor, 'n d h w'],
               lidar_depth_m: Float[Tensor, 'b n_cam height width'], frustum: Frustum) -> Float[Tensor, '']:
    """Returns the loss in float32; zero, and still differentiable, where the LiDAR sees nothing.

    Args:
        depth_probability: of each depth bin, n = b * n_cam.
        lidar_depth_m: depth images at the resolution of the images, 0 where no point falls.
        frustum: the bins.
    """
    rows, columns = depth_probability.shape[-2:]
    bins = nearest_bins(lidar_depth_m.flatten(0, 1), frustum, (rows, columns))
    is_known = bins != NO_BIN
    with torch.autocast(depth_probability.device.type, enabled=False):
        known = depth_probability.float().permute(0, 2, 3, 1)[is_known]
        target = F.one_hot(bins[is_known], frustum.depth_bins).to(known)
        return F.binary_cross_entropy(known, target, reduction='sum') / is_known.sum().clamp(min=1)


def nearest_bins(depth_m: Float[Tensor, 'n height width'], frustum: Frustum,
                 feature_hw: Tuple[int, int]) -> Int[Tensor, 'n h w']:
    """Returns the bin of the nearest return in each feature cell, NO_BIN where there is none.

    Args:
        depth_m: depth images, 0 where no point falls.
        frustum: the bins.
        feature_hw: rows and columns of the feature map.
    """
    rows, columns = feature_hw
    blocks = depth_m.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    nearest_m = blocks.where(blocks > 0, blocks.new_tensor(float('inf'))).amin(dim=(2, 4))
    position = (nearest_m - frustum.depth_range_m[0]) / frustum.bin_m
    is_inside = (position >= 0) & (position < frustum.depth_bins)
    return position.where(is_inside, position.new_tensor(float(NO_BIN))).long()
