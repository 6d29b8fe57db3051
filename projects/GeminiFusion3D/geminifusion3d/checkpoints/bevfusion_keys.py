"""Weights of BEVFusion's TransFusionHead -> GeminiTransFusionHead, one parameter each.

Their map is (B, C, X, Y), ours (B, C, Y, X): the 3x3 kernels that slide over it have their last two
dimensions swapped. Everything else carries over as it is; positions are (x, y) in cells with half a
cell added in both.

Source of the names: mmdet3d projects/BEVFusion (transfusion_head.py, transformer.py), one decoder
layer.
"""
from typing import Dict, Mapping

from torch import Tensor

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


def convert_bevfusion_head(state: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Returns the state dict of our head, given that of theirs.

    Args:
        state: their tensors by name, without the detector's `bbox_head.`.

    Raises:
        ValueError: if a tensor is missing or unknown: a head of another architecture.
    """
    key_map = bevfusion_head_key_map()
    if set(state) != set(key_map):
        missing, unknown = sorted(set(key_map) - set(state)), sorted(set(state) - set(key_map))
        raise ValueError('not the weights of a TransFusionHead with one decoder layer: '
                         f'missing {missing[:5]} ({len(missing)} in all), '
                         f'unknown {unknown[:5]} ({len(unknown)} in all)')
    return {key_map[name]: tensor.transpose(-1, -2).contiguous() if tensor.dim() == 4 else tensor.clone()
            for name, tensor in state.items()}
