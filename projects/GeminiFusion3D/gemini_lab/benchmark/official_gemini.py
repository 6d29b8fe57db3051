"""GeminiFusion as the official code computes it: each direction is one call of the library's multi-head
attention with cells as its batch, two keys per cell, and attention weights returned.

Source: official segmentation branch, models/mix_transformer.py, class Attention, at 1f102f6.
"""
from typing import Any, Optional, Tuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geminifusion3d.fusion.gemini_fusion import CAMERA, LIDAR, GeminiAttention, GeminiFusion


class OfficialGeminiFusion(nn.Module):
    """The same function of a fuser's weights, which must merge by alpha."""

    def __init__(self, *, fuser: GeminiFusion) -> None:
        super().__init__()
        self.fuser = fuser

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map."""
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in self.fuser.layers:
            camera, lidar = official_layer(layer, camera, lidar)
        share, lidar_share = self.fuser.get_parameter('alpha').softmax(dim=0)
        return (share * camera + lidar_share * lidar).permute(0, 3, 1, 2)


def official_layer(layer: Any, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                   ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
    """Return the enriched camera and LiDAR features of a GeminiFusionLayer."""
    return (_read(layer, layer.camera_attention, camera, lidar, CAMERA),
            _read(layer, layer.lidar_attention, lidar, camera, LIDAR))


def _read(layer: Any, attention: Optional[GeminiAttention], own_map: Tensor, other_map: Tensor,
          modality: int) -> Tensor:
    if attention is None:
        return own_map
    own, other = own_map.flatten(0, -2), other_map.flatten(0, -2)
    cross, relation = other, layer.relation
    if relation is not None:
        hidden = F.gelu(relation.fc1(torch.cat([own, other], dim=1)))
        cross = own * relation.fc2(hidden).softmax(dim=1) * relation.scale
        cross = (cross + other) / 2 if relation.with_twin else cross
    noise_k, noise_v = (0 if noise is None else noise.weight[modality]
                        for noise in (layer.k_noise, layer.v_noise))
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    read, _ = F.multi_head_attention_forward(
        own[None], torch.stack([own + noise_k, cross]), torch.stack([own + noise_v, other]), own.shape[1],
        attention.heads, in_proj_weight=torch.cat([q.weight, k.weight, v.weight]),
        in_proj_bias=torch.cat([q.bias, torch.zeros_like(q.bias), v.bias]), bias_k=None, bias_v=None,
        add_zero_attn=False, dropout_p=0.0, out_proj_weight=attention.out_proj.weight,
        out_proj_bias=attention.out_proj.bias, need_weights=True)
    return (own + read[0]).view(own_map.shape)
