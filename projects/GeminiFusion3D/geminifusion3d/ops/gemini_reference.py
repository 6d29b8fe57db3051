"""GeminiFusion of one layer by its plain formula: what the operator is compared with.

As in the official code, each direction is one call of the library's multi-head attention with the cells as
its batch, two keys a cell, attention weights returned. Source: Jia et al., GeminiFusion, ICML 2024, section
3.3; official segmentation branch, models/mix_transformer.py, class Attention, at 1f102f6.
"""
from typing import List, Mapping, Optional

import torch
from torch import Tensor
from torch.nn import functional as F

from .gemini_weights import AttentionWeights, RelationWeights


def reference_exchange(camera: Tensor, lidar: Tensor, relation: Optional[RelationWeights],
                       readers: Mapping[int, AttentionWeights], *, heads: int) -> List[Tensor]:
    """Returns the enriched map of each direction; arguments as those of the operator, nothing folded.

    Args:
        camera: (..., C).
        lidar: of the same shape.
        relation: Wa, Wb and the rest of the relation network, or None.
        readers: weights of each direction.
        heads: H.
    """
    maps, results = (camera, lidar), []
    for modality, weights in readers.items():
        own, other = (maps[m].flatten(0, -2) for m in (modality, 1 - modality))
        enriched = own + _attend(own, other, relation, weights, heads)
        results.append(enriched.view(maps[modality].shape))
    return results


def _attend(own: Tensor, other: Tensor, relation: Optional[RelationWeights], weights: AttentionWeights,
            heads: int) -> Tensor:
    cross = other
    if relation is not None:
        first = torch.cat([relation.first, relation.second], dim=1)
        hidden = F.gelu(F.linear(torch.cat([own, other], dim=1), first, relation.bias))
        cross = own * F.linear(hidden, relation.score, relation.score_bias).softmax(dim=1)
    keys = torch.stack([own if weights.noise_k is None else own + weights.noise_k, cross])
    values = torch.stack([own if weights.noise_v is None else own + weights.noise_v, other])
    biases = [weights.query_bias, torch.zeros_like(weights.query_bias), weights.value_bias]
    found, _ = F.multi_head_attention_forward(
        own[None], keys, values, own.shape[1], heads,
        in_proj_weight=torch.cat([weights.query, weights.key, weights.value]), in_proj_bias=torch.cat(biases),
        bias_k=None, bias_v=None, add_zero_attn=False, dropout_p=0.0,
        out_proj_weight=weights.out, out_proj_bias=weights.out_bias, need_weights=True)
    return found[0]
