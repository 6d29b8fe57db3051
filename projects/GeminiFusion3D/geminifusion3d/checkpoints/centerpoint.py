"""mmdet3d's CenterPoint checkpoints -> this project's LiDAR-only recipes with the CenterPoint head.

Source of the names: mmdet3d v1.4.0 configs/centerpoint (voxels of 0.075 m and 0.1 m, pillars of 0.2 m, heads
without deformable convolutions). Axes are laid out as here; only names and the storage order of sparse
kernels differ. Of pillars, the first two stages of the backbone belong to the LiDAR branch here, and the
neck's strided convolution of the finest stage reads the values of a cell side by side.
"""
from typing import Dict, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from .formats import CENTERPOINT, CENTERPOINT_PILLARS, recognise
from .key_rules import Rule, apply_rules, spconv2_layout

FIRST_BACKBONE_KERNEL = 'pts_backbone.blocks.0.0.weight'
DEFORMABLE = 'feature_adapt'
RULES = (
    Rule(r'pts_middle_encoder\.(.+)', r'lidar_branch.encoder.\1', spconv2_layout),
    Rule(r'pts_(backbone|neck)\.(.+)', r'bev_\1.\2'),
    Rule(r'pts_bbox_head\.(.+)', r'bbox_head.\1'))
PILLAR_RULES = (
    Rule(r'pts_voxel_encoder\.pfn_layers\.0\.linear\.(.+)', r'lidar_branch.voxel_encoder.pfn_layers.0.0.\1'),
    Rule(r'pts_voxel_encoder\.pfn_layers\.0\.norm\.(.+)', r'lidar_branch.voxel_encoder.pfn_layers.0.1.\1'),
    Rule(r'pts_backbone\.blocks\.([01])\.(.+)', r'lidar_branch.encoder.stages.blocks.\1.\2'),
    Rule(r'pts_backbone\.blocks\.2\.(.+)', r'bev_backbone.blocks.0.\1'),
    Rule(r'pts_neck\.deblocks\.0\.0\.weight', r'bev_neck.deblocks.0.0.weight',
         lambda weight: weight.flatten(1)[:, :, None, None]),
    *RULES[1:])


def convert_centerpoint(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts a state dict.

    Args:
        weights: of mmdet3d's CenterPoint, with voxels (stored by spconv 2 or mmcv) or pillars.

    Returns:
        Weights of the equivalent recipe; the stand-in for a missing LiDAR, which the source has not
        learned, is zeros.

    Raises:
        UserError: if a weight is unknown, or the heads have deformable convolutions.
    """
    if any(DEFORMABLE in key for key in weights):
        raise UserError('the checkpoint\'s heads have deformable convolutions, for which there is no recipe: '
                        'pass one of a CenterPoint config without "dcn" in its name')
    if recognise(weights) == CENTERPOINT_PILLARS:
        converted = apply_rules(weights, PILLAR_RULES, source=CENTERPOINT_PILLARS.name)
        channels = sum(converted[f'bev_neck.deblocks.{level}.0.weight'].shape[1] for level in (0, 1))
    else:
        converted = apply_rules(weights, RULES, source=CENTERPOINT.name)
        channels = weights[FIRST_BACKBONE_KERNEL].shape[1]
    return {**converted, 'lidar_align.stand_in': torch.zeros(channels)}
