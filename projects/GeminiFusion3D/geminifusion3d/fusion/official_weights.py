"""Weights of the official GeminiFusion modules, renamed for the modules here.

Source of the names: JiaDingCN/GeminiFusion, class Attention of models/mix_transformer.py and class
SwinTransformerBlock of models/swin_transformer.py (branch main, at 1f102f6), class Gemini_PointFusion of
point_fusion.py (branch 3d_object_detection_kitti, at 8456609).

    official (i -> j: modality i queries j)      here
    relation_judger.0.fc1, .fc2                  relation.fc1, .fc2
    cross_attn_0_to_1.in_proj_weight             camera_attention.{q,k,v}_proj.weight, rows in thirds
    cross_attn_0_to_1.in_proj_bias               camera_attention.{q,v}_proj.bias, rows in thirds
    cross_attn_0_to_1.out_proj                   camera_attention.out_proj
    cross_attn_1_to_0                            lidar_attention, in the same way
    k_noise, v_noise                             k_noise, v_noise
    alpha (KITTI branch only)                    alpha of the fuser

The key's bias has no counterpart: it adds the same to both logits of a cell, and the softmax over them
does not change. Modality 0 is the image there and the camera here. What surrounds these modules there
(self-attention, `proj`, `mlp`; `img_transform`, `pts_transform` and the final ReLU) is not part of the fuser.
"""
from typing import Dict, Mapping

from torch import Tensor

from ..errors import UserError

ATTENTIONS = {'cross_attn_0_to_1.': 'camera_attention.', 'cross_attn_1_to_0.': 'lidar_attention.'}
SAME_TENSORS = {
    'k_noise.weight': 'k_noise.weight', 'v_noise.weight': 'v_noise.weight',
    **{f'relation_judger.0.{name}': f'relation.{name}'
       for name in ('fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias')},
    **{f'{theirs}out_proj.{name}': f'{ours}out_proj.{name}'
       for theirs, ours in ATTENTIONS.items() for name in ('weight', 'bias')}}


def layer_from_official(official: Mapping[str, Tensor], prefix: str = '') -> Dict[str, Tensor]:
    """Returns the state dict of a GeminiFusionLayer.

    Args:
        official: state dict of an official model or module; other weights in it are passed over.
        prefix: of the module in it, such as 'block1.0.attn.' with its dot.

    Raises:
        UserError: if a weight of the module is not there.
    """
    layer = {ours: _take(official, prefix + theirs) for theirs, ours in SAME_TENSORS.items()}
    for theirs, ours in ATTENTIONS.items():
        weights = _take(official, f'{prefix}{theirs}in_proj_weight').chunk(3)
        biases = _take(official, f'{prefix}{theirs}in_proj_bias').chunk(3)
        for name, weight in zip('qkv', weights):
            layer[f'{ours}{name}_proj.weight'] = weight
        layer[f'{ours}q_proj.bias'], _, layer[f'{ours}v_proj.bias'] = biases
    return layer


def fuser_from_official(official: Mapping[str, Tensor], prefix: str = '') -> Dict[str, Tensor]:
    """Returns the state dict of a GeminiFusion of one layer, from the fusion layer of the KITTI branch.

    Args:
        official: state dict of an official model or module; other weights in it are passed over.
        prefix: of the module in it.

    Raises:
        UserError: if a weight of the module is not there.
    """
    layer = {f'layers.0.{name}': weight for name, weight in layer_from_official(official, prefix).items()}
    return {**layer, 'alpha': _take(official, f'{prefix}alpha')}


def _take(official: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in official:
        near = [key for key in official if key.endswith('relation_judger.0.fc1.weight')]
        found = ', '.join(repr(key[:-len('relation_judger.0.fc1.weight')]) for key in near) or 'none'
        raise UserError(f'the official weights lack {name!r}; prefixes of GeminiFusion modules in them: '
                        f'{found}; pass one of them as prefix')
    return official[name]
