"""GeminiFusion by the formula of the official code: what `gemini_fusion.py` is compared with.

As there, each direction is one call of the library's multi-head attention with the cells as its batch, two
keys per cell, and attention weights returned. Source: official segmentation branch,
models/mix_transformer.py, class Attention, at 1f102f6.
"""
from typing import Optional, Tuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .gemini_fusion import CAMERA, LIDAR, GeminiAttention, GeminiFusion, GeminiFusionLayer, RelationScore


class OfficialGeminiFusion(nn.Module):
    """The same function of the same weights; with merge='alpha' only.

    Args:
        fuser: whose weights are used.
    """

    def __init__(self, *, fuser: GeminiFusion) -> None:
        super().__init__()
        self.fuser = fuser

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map."""
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in self.fuser.layers:
            camera, lidar = official_layer(layer, camera, lidar)
        shares = self.fuser.alpha.softmax(dim=0)
        return (shares[CAMERA] * camera + shares[LIDAR] * lidar).permute(0, 3, 1, 2)


def official_layer(layer: GeminiFusionLayer, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                   ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
    """Return the enriched camera and LiDAR features of a layer."""
    return (_read(layer, layer.camera_attention, camera, lidar, CAMERA),
            _read(layer, layer.lidar_attention, lidar, camera, LIDAR))


def _read(layer: GeminiFusionLayer, attention: Optional[GeminiAttention], own_map: Tensor, other_map: Tensor,
          modality: int) -> Tensor:
    if attention is None:
        return own_map
    own, other = own_map.flatten(0, -2), other_map.flatten(0, -2)
    cross = other if layer.relation is None else own * _score(layer.relation, own, other)
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


def _score(relation: RelationScore, own: Tensor, other: Tensor) -> Tensor:
    return relation.fc2(F.gelu(relation.fc1(torch.cat([own, other], dim=1)))).softmax(dim=1)
