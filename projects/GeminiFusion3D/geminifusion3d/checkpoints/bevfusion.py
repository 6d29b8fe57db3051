"""BEVFusion checkpoints (lidar and lidar-cam) of mmdet3d and of MIT -> this project's recipes.

Source of the names: mmdet3d v1.4.0 projects/BEVFusion. Its maps are (B, C, X, Y) and its voxels (x, y, z), so
every kernel that slides over the BEV or over voxels is turned; what sees images or queries carries over. Its
view transform keeps its grid among the weights; here that is config. mmdet3d's project is MIT's network with
other names (mit-han-lab/bevfusion, mmdet3d/models). Of its TransFusionHead (one decoder layer) the 3x3
kernels have their last two dimensions swapped; positions are (x, y) in cells with half a cell added in both.
"""
import re
from typing import Dict, List, Mapping

import torch
from torch import Tensor

from ..errors import UserError
from .formats import BEVFUSION, MIT_BEVFUSION, MIT_BEVFUSION_MAP, recognise
from .key_rules import Rule, apply_rules, yx_from_xy, zyx_from_xyz

_BRANCHES = ('center', 'height', 'dim', 'rot', 'vel', 'heatmap')
_NORM = ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked')
_AFFINE = ('weight', 'bias')
_ATTENTION = ('in_proj_weight', 'in_proj_bias', 'out_proj.weight', 'out_proj.bias')
# Theirs, ours, and the tensors of the module.
_MODULES = (
    ('shared_conv', 'shared_conv', _AFFINE),
    ('heatmap_head.0.conv', 'query_init.heatmap.0.conv', ('weight',)),
    ('heatmap_head.0.bn', 'query_init.heatmap.0.bn', _NORM),
    ('heatmap_head.1', 'query_init.heatmap.1', _AFFINE),
    ('class_encoding', 'query_init.class_embedding', _AFFINE),
    ('decoder.0.self_attn.attn', 'decoder.self_attention', _ATTENTION),
    ('decoder.0.cross_attn.attn', 'decoder.cross_attention', _ATTENTION),
    ('decoder.0.ffn.layers.0.0', 'decoder.feedforward.0', _AFFINE),
    ('decoder.0.ffn.layers.1', 'decoder.feedforward.3', _AFFINE),
    *((f'decoder.0.norms.{i}', f'decoder.norms.{i}', _AFFINE) for i in range(3)),
    *((f'decoder.0.{theirs}.position_embedding_head.{i}', f'decoder.{ours}.{i}', tensors)
      for theirs, ours in (('self_posembed', 'query_position'), ('cross_posembed', 'map_position'))
      for i, tensors in ((0, _AFFINE), (1, _NORM), (3, _AFFINE))),
    *((f'prediction_heads.0.{branch}.{part}', f'prediction.{branch}.{part}', tensors)
      for branch in _BRANCHES
      for part, tensors in (('0.conv', ('weight',)), ('0.bn', _NORM), ('1', _AFFINE))),
)


def bevfusion_head_key_map() -> Dict[str, str]:
    """Returns our name of each tensor of theirs, both without the detector's `bbox_head.`."""
    return {f'{theirs}.{tensor}': f'{ours}.{tensor}'
            for theirs, ours, tensors in _MODULES for tensor in tensors}


LIDAR_BRANCHES = ('lidar_branch', 'lidar_align', 'bev_backbone', 'bev_neck', 'bbox_head')
FUSER_BRANCHES = ('camera_align', 'lidar_align', 'fuser')
LAST_DOWNSAMPLING_KERNEL = 'view_transform.downsample.6.weight'
FUSER_KERNEL = 'fusion_layer.0.weight'
FIRST_BACKBONE_KERNEL = 'pts_backbone.blocks.0.0.weight'

BODY_RULES = (
    Rule(r'img_backbone\.(.+)', r'camera_branch.backbone.\1'),
    Rule(r'img_neck\.lateral_convs\.(\d+)\.(.+)', r'camera_branch.neck.merges.\1.0.\2'),
    Rule(r'img_neck\.fpn_convs\.(\d+)\.(.+)', r'camera_branch.neck.merges.\1.1.\2'),
    Rule(r'view_transform\.(?:dx|bx|nx|frustum)', None),
    Rule(r'view_transform\.(dtransform|depthnet)\.(.+)', r'camera_branch.\1.\2'),
    Rule(r'view_transform\.downsample\.(.+)', r'camera_branch.downsample.\1', yx_from_xy),
    Rule(r'pts_middle_encoder\.(.+)', r'lidar_branch.encoder.\1', zyx_from_xyz),
    Rule(r'fusion_layer\.(.+)', r'fuser.\1', yx_from_xy),
    Rule(r'pts_(backbone|neck)\.(.+)', r'bev_\1.\2', yx_from_xy),
    # MIT's alone: mmdet3d's project does not segment.
    Rule(r'seg_head\.classifier\.(.+)', r'seg_head.classifier.\1', yx_from_xy))


# MIT's names -> mmdet3d's.
MIT_RULES = (
    Rule(r'encoders\.camera\.(backbone|neck)\.(.+)', r'img_\1.\2'),
    Rule(r'encoders\.camera\.vtransform\.(.+)', r'view_transform.\1'),
    Rule(r'encoders\.lidar\.backbone\.(.+)', r'pts_middle_encoder.\1'),
    Rule(r'fuser\.(.+)', r'fusion_layer.\1'),
    Rule(r'decoder\.(backbone|neck)\.(.+)', r'pts_\1.\2'),
    Rule(r'heads\.object\.(decoder\.\d+)\.self_attn\.(.+)', r'bbox_head.\1.self_attn.attn.\2'),
    Rule(r'heads\.object\.(decoder\.\d+)\.multihead_attn\.(.+)', r'bbox_head.\1.cross_attn.attn.\2'),
    Rule(r'heads\.object\.(decoder\.\d+)\.linear1\.(.+)', r'bbox_head.\1.ffn.layers.0.0.\2'),
    Rule(r'heads\.object\.(decoder\.\d+)\.linear2\.(.+)', r'bbox_head.\1.ffn.layers.1.\2'),
    *(Rule(rf'heads\.object\.(decoder\.\d+)\.norm{number + 1}\.(.+)', rf'bbox_head.\1.norms.{number}.\2')
      for number in range(3)),
    Rule(r'heads\.object\.(.+)', r'bbox_head.\1'),
    Rule(r'heads\.map\.(.+)', r'seg_head.\1'))


def bevfusion_rules() -> List[Rule]:
    """Returns the rules for every weight of the two published configs."""
    head_rules = [Rule(re.escape(f'bbox_head.{theirs}'), f'bbox_head.{ours}', yx_from_xy)
                  for theirs, ours in bevfusion_head_key_map().items()]
    return [*BODY_RULES, *head_rules]


def convert_bevfusion(weights: Mapping[str, Tensor], *, lidar_only: bool = False,
                      without_fuser: bool = False) -> Dict[str, Tensor]:
    """Converts a state dict.

    Args:
        weights: of mmdet3d's or MIT's BEVFusion, lidar or lidar-cam, MIT's for detection or segmentation,
            stored by spconv 2, spconv 1 or mmcv.
        lidar_only: keep what a LiDAR-only model has, as the first stage of training a fused one.
        without_fuser: leave the fuser out, as the start of the same network with another one.

    Returns:
        Weights of the equivalent recipe; the stand-ins for missing sensors, which the source has not
        learned, are zeros.

    Raises:
        UserError: if a weight is unknown, or there is no fuser to leave out.
    """
    source = recognise(weights)
    if source in (MIT_BEVFUSION, MIT_BEVFUSION_MAP):
        weights = apply_rules(weights, MIT_RULES, source=source.name)
    if without_fuser and FUSER_KERNEL not in weights:
        raise UserError('--without-fuser needs the checkpoint of a camera-LiDAR model, this one is of LiDAR '
                        'only: leave it out')
    converted = {**apply_rules(weights, bevfusion_rules(), source=BEVFUSION.name), **_stand_ins(weights)}
    branches = {key: key.split('.')[0] for key in converted}
    return {key: value for key, value in converted.items()
            if not (lidar_only and branches[key] not in LIDAR_BRANCHES)
            and not (without_fuser and branches[key] in FUSER_BRANCHES)}


def _stand_ins(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Returns one zero for each channel of the maps that are fused, or of the only one."""
    if FUSER_KERNEL not in weights:
        lidar_channels = weights[FIRST_BACKBONE_KERNEL].shape[1]
        return {'lidar_align.stand_in': torch.zeros(lidar_channels)}
    camera_channels = weights[LAST_DOWNSAMPLING_KERNEL].shape[0]
    lidar_channels = weights[FUSER_KERNEL].shape[1] - camera_channels
    return {'camera_align.stand_in': torch.zeros(camera_channels),
            'lidar_align.stand_in': torch.zeros(lidar_channels)}
