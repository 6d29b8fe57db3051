"""Weights of MVX-Net with GeminiFusion, of the official KITTI branch, renamed for the recipes here.

Source of the names: JiaDingCN/GeminiFusion, branch 3d_object_detection_kitti (at 8456609), which follows
mmdet3d's DynamicMVXFasterRCNN. Only the fusion modules differ: their attention lies beside the transforms
there and inside `fuser` here. mmdet3d's own MVX-Net checkpoints have the names of the recipes here already.
"""
import re
from typing import Dict, Mapping

from torch import Tensor

from ..fusion.official_weights import fuser_from_official
from .formats import MVXNET_GEMINIFUSION
from .key_rules import Rule, apply_rules

# What `fuser_from_official` reads beside what stays as it is.
FUSER_NAMES = r'relation_judger|cross_attn_0_to_1|cross_attn_1_to_0|k_noise|v_noise|alpha'
LAYER = re.compile(rf'(pts_voxel_encoder\.fusion_layer\.\d+\.)(?:{FUSER_NAMES})\b.*')
RULES = (Rule(rf'pts_voxel_encoder\.fusion_layer\.\d+\.(?:{FUSER_NAMES})\b.*', None),
         Rule(r'((?:img|pts)_(?:backbone|neck|voxel_encoder|middle_encoder|bbox_head)\..+)', r'\1'))


def convert_mvxnet(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Converts a state dict.

    Args:
        weights: of the official MVX-Net with GeminiFusion.

    Raises:
        UserError: if a weight is unknown, or one of a fusion module is not there.
    """
    converted = apply_rules(weights, RULES, source=MVXNET_GEMINIFUSION.name)
    for prefix in dict.fromkeys(found[1] for found in map(LAYER.fullmatch, weights) if found):
        fuser = fuser_from_official(weights, prefix)
        converted.update({f'{prefix}fuser.{name}': weight for name, weight in fuser.items()})
    return converted
