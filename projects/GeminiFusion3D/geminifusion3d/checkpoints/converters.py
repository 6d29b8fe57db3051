"""Weights of BEVFusion (mmdet3d's and MIT's), CenterPoint and the official MVX-Net -> this project's recipes.

Source of BEVFusion's names: mmdet3d v1.4.0 projects/BEVFusion. Its maps are (B, C, X, Y) and its voxels (x,
y, z), so every kernel that slides over the BEV or over voxels is turned; what sees images or queries
carries over. Its view transform keeps its grid among the weights; here that is config. mmdet3d's project is
MIT's network with other names (mit-han-lab/bevfusion, mmdet3d/models). Of its TransFusionHead (one decoder
layer) the 3x3 kernels have their last two dimensions swapped; positions are (x, y) in cells with half a
cell added in both.

Source of CenterPoint's names: mmdet3d v1.4.0 configs/centerpoint (voxels of 0.075 m and 0.1 m, pillars of
0.2 m, heads without deformable convolutions). Axes are laid out as here; only names and the storage order
of sparse kernels differ. Of pillars, the first two stages of the backbone belong to the LiDAR branch here,
and the neck's strided convolution of the finest stage reads the values of a cell side by side.

Source of MVX-Net's names: JiaDingCN/GeminiFusion, branch 3d_object_detection_kitti (at 8456609), which
follows mmdet3d's DynamicMVXFasterRCNN. Only the fusion modules differ: their attention lies beside the
transforms there and inside `fuser` here. mmdet3d's own MVX-Net checkpoints have the names of the recipes
here already.
"""
import io
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

import torch
from torch import Tensor

from ..atomic import write_whole
from ..check_sums import file_sum
from ..errors import UserError
from ..fusion.official_weights import fuser_from_official
from .checkpoint_file import read_checkpoint
from .checkpoint_fit import state_dict_of, with_versions
from .formats import (BEVFUSION, CENTERPOINT, CENTERPOINT_PILLARS, CONVERTIBLE, MIT_BEVFUSION,
                      MIT_BEVFUSION_MAP, MVXNET_GEMINIFUSION, Format, recognise)
from .key_rules import Rule, apply_rules, spconv2_layout, yx_from_xy, zyx_from_xyz

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


DEFORMABLE = 'feature_adapt'
CENTERPOINT_RULES = (
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
    *CENTERPOINT_RULES[1:])


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
        converted = apply_rules(weights, CENTERPOINT_RULES, source=CENTERPOINT.name)
        channels = weights[FIRST_BACKBONE_KERNEL].shape[1]
    return {**converted, 'lidar_align.stand_in': torch.zeros(channels)}


# What `fuser_from_official` reads beside what stays as it is.
FUSER_NAMES = r'relation_judger|cross_attn_0_to_1|cross_attn_1_to_0|k_noise|v_noise|alpha'
LAYER = re.compile(rf'(pts_voxel_encoder\.fusion_layer\.\d+\.)(?:{FUSER_NAMES})\b.*')
MVXNET_RULES = (Rule(rf'pts_voxel_encoder\.fusion_layer\.\d+\.(?:{FUSER_NAMES})\b.*', None),
                Rule(r'((?:img|pts)_(?:backbone|neck|voxel_encoder|middle_encoder|bbox_head)\..+)', r'\1'))


def convert_mvxnet(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts a state dict.

    Args:
        weights: of the official MVX-Net with GeminiFusion.

    Raises:
        UserError: if a weight is unknown, or one of a fusion module is not there.
    """
    converted = apply_rules(weights, MVXNET_RULES, source=MVXNET_GEMINIFUSION.name)
    for prefix in dict.fromkeys(found[1] for found in map(LAYER.fullmatch, weights) if found):
        fuser = fuser_from_official(weights, prefix)
        converted.update({f'{prefix}fuser.{name}': weight for name, weight in fuser.items()})
    return converted


def convert_weights(weights: Mapping[str, Tensor], *, lidar_only: bool = False, without_fuser: bool = False
                    ) -> Dict[str, Tensor]:
    """Converts a state dict of any of these sources.

    Args:
        weights: of one of them.
        lidar_only: of BEVFusion, as for convert_bevfusion.
        without_fuser: likewise.

    Raises:
        UserError: if a weight is unknown, or an option is not for this source.
    """
    others = {CENTERPOINT: convert_centerpoint, CENTERPOINT_PILLARS: convert_centerpoint,
              MVXNET_GEMINIFUSION: convert_mvxnet}
    source = recognise(weights)
    if source not in others:
        return convert_bevfusion(weights, lidar_only=lidar_only, without_fuser=without_fuser)
    if lidar_only or without_fuser:
        raise UserError('--lidar-only and --without-fuser are for BEVFusion, the checkpoint is of '
                        f'{source.name}; leave them out')
    return others[source](weights)


# Raised whenever the same source would give other weights.
CONVERTER_VERSION = 1
PROVENANCE = 'converted_from'


def convert_file(source: Path, out: Path, *, convert: Callable[[Mapping[str, Tensor]], Dict[str, Tensor]],
                 check: Optional[Callable[[Dict[str, Any]], None]] = None) -> Dict[str, Any]:
    """Converts a checkpoint and writes it whole or not at all.

    Args:
        source: the checkpoint to convert.
        out: where the converted one shall stand.
        convert: converts a state dict.
        check: gets the converted checkpoint before it is written; may raise.

    Returns:
        The converted checkpoint: `meta`, which says where it comes from, and `state_dict`.

    Raises:
        UserError: if the source is unreadable or of another format, or `out` is the source.
    """
    if '://' in str(source):
        raise UserError(f'{source} is an address, expected a file: download it and pass its path')
    weights = state_dict_of(read_checkpoint(source))
    found = recognise(weights)
    if found not in CONVERTIBLE:
        raise UserError(_not_understood(source, found))
    if out.exists() and out.samefile(source):
        raise UserError(f'{out} is the checkpoint to convert: name another file to write to')
    checkpoint = {'meta': {PROVENANCE: _provenance(source, found)},
                  'state_dict': with_versions(convert(weights))}
    if check is not None:
        check(checkpoint)
    out.parent.mkdir(parents=True, exist_ok=True)
    # On a full disk torch's own writing ends in an error that does not say so.
    memory = io.BytesIO()
    torch.save(checkpoint, memory)
    write_whole(out, memory.getbuffer())
    return checkpoint


def _not_understood(source: Path, found: Optional[Format]) -> str:
    expected = ' or '.join(known.name for known in CONVERTIBLE)
    if found is None:
        return (f'{source} is no checkpoint of {expected}, judged by the names of its weights: pass one that '
                'was downloaded or trained there')
    return f'{source} is of {found.name}, expected one of {expected}: {found.advice}'


def _provenance(source: Path, found: Format) -> Dict[str, Any]:
    return dict(file=source.name, sha256=file_sum(source), format=found.name,
                converter_version=CONVERTER_VERSION)
