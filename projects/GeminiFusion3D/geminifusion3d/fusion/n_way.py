"""Any number of aligned BEV maps become one: GeminiFusion's DeLiVER scheme, and a symmetric layer of our own.

Source of the first: Jia et al., GeminiFusion, ICML 2024, DeLiVER branch at 5a3a723. The first map is the main
modality; the others are gated and reduced to one map, with which it exchanges:

    s_i = sigmoid(conv1x1(depthwise3x3(x_i))),   x_f = elementwise max over i > 0 of (1 + s_i) x_i
    fused = GeminiFusion(x_0, x_f);   for a next stage: x_0', and (1 + s_i) x_i + x_f' for every other

The second has no main modality. Every cell attends to itself and to its N - 1 twins; per modality i and head:

    r_ij    = the relation score of [x_i ; x_j]
    k_ii    = Wk_i (x_i + noise_k_i),   v_ii = Wv_i (x_i + noise_v_i),   q_i = Wq_i x_i
    k_ij    = Wk_i (x_i * r_ij),        v_ij = Wv_i x_j                  for every j other than i
    a_i     = softmax over all j that are there of q_i . k_ij / sqrt(d)
    out_i   = x_i + Wo_i sum over j of a_ij v_ij
    fused   = sum over i that are there of softmax(alpha)_i out_i

For two maps this is GeminiFusion. The operations of both are linear in the cells; in N those of the first are
linear, of the second quadratic.
"""
from itertools import combinations
from typing import Dict, List, Optional, Sequence, Tuple, Union, cast

import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .gemini_fusion import GeminiAttention, GeminiFusion, make_relation


@MODELS.register_module()
class GeminiGatedMaxFusion(BaseModule):
    """Reduces all maps but the first to one, gated and by elementwise maximum, then fuses it with the first.

    Args:
        channels: C of every map and of the fused map.
        modalities: N, how many maps there are, at least 2.
        fuser: further arguments of the GeminiFusion of the two.

    Raises:
        ValueError: if there are fewer than two modalities.
    """

    def __init__(self, channels: int, modalities: int, fuser: Optional[Dict] = None) -> None:
        super().__init__()
        _check_number(modalities)
        self.score_nets = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
                          nn.Conv2d(channels, 1, 1)) for _ in range(modalities - 1))
        self.fuser = GeminiFusion(channels, **(fuser or {}))
        self.out_channels, self.modalities = channels, modalities

    def forward(self, *maps: Tensor) -> Float[Tensor, 'b c y x']:
        """Return the fused map.

        Args:
            *maps: each (B, C, Y, X), the main modality first.

        Raises:
            ValueError: if the maps are not N of one shape.
        """
        main, gated = self._gate(maps)
        return self.fuser(main, torch.stack(gated).amax(dim=0))

    def exchange(self, *maps: Tensor) -> Tuple[Tensor, ...]:
        """Return N maps for a next stage: the main one, and each gated other one plus the enriched maximum.

        Args:
            *maps: each (B, C, Y, X), the main modality first.

        Raises:
            ValueError: if the maps are not N of one shape.
        """
        main, gated = self._gate(maps)
        main, common = self.fuser.exchange(main, torch.stack(gated).amax(dim=0))
        return (main, *(bev + common for bev in gated))

    def _gate(self, maps: Sequence[Tensor]) -> Tuple[Tensor, List[Tensor]]:
        _check_maps(maps, len(self.score_nets) + 1)
        main, *others = maps
        return main, [(1 + net(bev).sigmoid()) * bev for net, bev in zip(self.score_nets, others)]


class GeminiNWayLayer(nn.Module):
    """Every modality reads all others; the relation network is shared, the attention and the noise are not.

    Args:
        channels: C.
        modalities: N.
        heads: attention heads; must divide C.
        noise: see GeminiFusionLayer.
        relation: see GeminiFusionLayer.
    """

    def __init__(self, *, channels: int, modalities: int, heads: int, noise: bool = True,
                 relation: Union[bool, str] = True) -> None:
        super().__init__()
        self.relation = make_relation(relation, channels=channels)
        self.attentions = nn.ModuleList(
            GeminiAttention(channels=channels, heads=heads) for _ in range(modalities))
        self.k_noise = nn.Embedding(modalities, channels) if noise else None
        self.v_noise = nn.Embedding(modalities, channels) if noise else None

    def forward(self, features: Sequence[Float[Tensor, '*cells c']],
                is_present: Optional[Bool[Tensor, 'n ...']] = None) -> List[Float[Tensor, '*cells c']]:
        """Return the enriched features; each modality reads the others' input.

        Args:
            features: one tensor per modality.
            is_present: per modality, broadcast over the cells: what is False there is read by nobody.
        """
        scores: Dict[Tuple[int, int], Tensor] = {}
        if self.relation is not None:
            for i, j in combinations(range(len(features)), 2):
                scores[i, j], scores[j, i] = self.relation(features[i], features[j])
        return [self._read(i, features, scores, is_present) for i in range(len(features))]

    def _read(self, i: int, features: Sequence[Tensor], scores: Dict[Tuple[int, int], Tensor],
              is_present: Optional[Tensor]) -> Tensor:
        own, attention = features[i], cast(GeminiAttention, self.attentions[i])
        others = [j for j in range(len(features)) if j != i]
        noise_k, noise_v = (0 if noise is None else noise.weight[i] for noise in (self.k_noise, self.v_noise))
        twins = [own * scores[i, j] if scores else features[j] for j in others]
        if self.relation is not None and self.relation.with_twin:
            twins = [(twin + features[j]) / 2 for twin, j in zip(twins, others)]
        keys = [own + noise_k, *twins]
        values = [own + noise_v, *(features[j] for j in others)]

        def per_head(projected: Tensor) -> Tensor:
            return projected.unflatten(-1, (attention.heads, -1))
        query = attention.q_proj(own)
        dtype = torch.promote_types(query.dtype, torch.float32)
        logits = torch.stack([per_head(query * attention.k_proj(key.to(own.dtype))).sum(-1, dtype=dtype)
                              for key in keys]) * (query.shape[-1] // attention.heads) ** -0.5
        if is_present is not None:
            is_key = torch.stack([torch.ones_like(is_present[i]), *(is_present[j] for j in others)])
            logits = logits.where(is_key.unsqueeze(-1), float('-inf'))
        shares = logits.softmax(dim=0).unsqueeze(-1)
        found = torch.stack([share.to(query.dtype) * per_head(attention.v_proj(value.to(own.dtype)))
                             for share, value in zip(shares, values)]).sum(dim=0)
        return (own + attention.out_proj(found.flatten(-2))).to(own.dtype)


@MODELS.register_module()
class GeminiNWayFusion(BaseModule):
    """Fuses N aligned maps cell by cell, whichever of them are there.

    Args:
        channels: C of every map and of the fused map.
        modalities: N, at least 2.
        heads: attention heads; must divide C.
        layers: how often the maps exchange.
        noise: see GeminiFusionLayer.
        relation: see GeminiFusionLayer.
        gate: let the shares of a cell depend on all its features and on which modalities are there; without
            it, and at the start, one share per modality serves all cells.

    Raises:
        ValueError: if there are fewer than two modalities, or no layer.
    """

    reads_presence = True

    def __init__(self, channels: int, modalities: int, heads: int = 8, *, layers: int = 1, noise: bool = True,
                 relation: Union[bool, str] = True, gate: bool = False) -> None:
        super().__init__()
        _check_number(modalities)
        if layers < 1:
            raise ValueError(f'GeminiNWayFusion needs at least one layer, got layers={layers}')
        self.layers = nn.ModuleList(
            GeminiNWayLayer(channels=channels, modalities=modalities, heads=heads, noise=noise,
                            relation=relation) for _ in range(layers))
        self.alpha = nn.Parameter(torch.zeros(modalities))
        self.gate = nn.Linear(modalities * (channels + 1), modalities) if gate else None
        if self.gate is not None:
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)
        self.out_channels, self.modalities = channels, modalities

    def forward(self, *maps: Tensor, is_present: Optional[Bool[Tensor, 'b n']] = None
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map.

        Args:
            *maps: each (B, C, Y, X); always in the same order.
            is_present: of each sample and map; None where all are there. What an absent map holds is not
                read, and the result is as if it had never been one of N. A sample of which nothing is there
                is fused from what stands in the maps.

        Raises:
            ValueError: if the maps are not N of one shape.
        """
        _check_maps(maps, len(self.alpha))
        features = [bev.permute(0, 2, 3, 1) for bev in maps]
        mask = None
        if is_present is not None:
            # Where nothing is there, everything counts: there is no other answer, and no NaN.
            mask = (is_present | ~is_present.any(dim=1, keepdim=True)).T[..., None, None]
            # What is absent may hold anything, which a share of zero would not silence.
            features = [one.where(here.unsqueeze(-1), 0) for one, here in zip(features, mask)]
        logits = self._merge_logits(features, mask)
        for layer in self.layers:
            features = layer(features, mask)
        shares = logits.softmax(dim=0).unsqueeze(-1)
        fused = torch.stack([share.to(one.dtype) * one for share, one in zip(shares, features)]).sum(dim=0)
        return fused.permute(0, 3, 1, 2)

    def _merge_logits(self, features: Sequence[Float[Tensor, 'b y x c']],
                      mask: Optional[Bool[Tensor, 'n b 1 1']]) -> Float[Tensor, 'n _ _ _']:
        """Return the logits of the shares, per modality and, with a gate, per cell."""
        logits = self.alpha.view(-1, 1, 1, 1)
        if self.gate is not None:
            here = torch.ones_like(features[0][..., :1]).expand(*features[0].shape[:3], len(features))
            if mask is not None:
                here = here * mask.permute(1, 2, 3, 0)
            logits = logits + self.gate(torch.cat([*features, here], dim=-1)).float().permute(3, 0, 1, 2)
        return logits if mask is None else logits.where(mask, float('-inf'))


def _check_number(modalities: int) -> None:
    if modalities < 2:
        raise ValueError(f'a fuser needs two or more modalities, got modalities={modalities}')


def _check_maps(maps: Sequence[Tensor], number: int) -> None:
    # Of a traced map each size is a tensor, equal to no other in a set.
    if len(maps) != number or any(bev.shape != maps[0].shape for bev in maps) or maps[0].dim() != 4:
        raise ValueError(f'this fuser needs {number} maps (B, C, Y, X) of one shape, got '
                         f'{[tuple(bev.shape) for bev in maps]}; align them first')
