"""The weights of a GeminiFusion layer in the form in which its operator multiplies them.

With own feature x, twin y, relation r = softmax(W2 gelu(Wa x + Wb y + b1) + b2) and noise nk, nv, per head of
size d (see fusion/gemini_attention.py for the formula in full):

    self minus cross key      k = Wk (x (1-r) + nk)
    share of the cross key    c = sigmoid(-q . k / sqrt(d))
    cross minus self value    v = Wv (y - x - nv)
    out                       x + Wo Wv x + Wo (c v) + (Wo (Wv nv + bv) + bo)

so that constants become biases, y is needed for nothing but the difference y - x and the relation, and the
scale and the sign of the logits go into the query.
"""
from typing import Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

CAMERA, LIDAR = 0, 1


class RelationWeights(NamedTuple):
    """Of the relation network; (C, C) matrices and (C,) biases.

    Args:
        first: Wa, or of lidar - camera where `split_relation` was used.
        second: Wb, or of camera + lidar.
        bias: b1.
        score: W2.
        score_bias: b2.
    """

    first: Tensor
    second: Tensor
    bias: Tensor
    score: Tensor
    score_bias: Tensor


class ReaderWeights(NamedTuple):
    """Of one direction; (C, C) matrices and (C,) biases, on the inputs that are named.

    Args:
        query: of the own feature, scaled.
        query_bias: of the query.
        key: of x (1-r), or of lidar - camera without relation.
        key_bias: Wk nk.
        value: of lidar - camera.
        value_bias: -Wv nv.
        own: Wo Wv, of the own feature; 1 + Wo Wv where `with_residual` was used.
        out: Wo, of the weighed values.
        out_bias: all constants of the result.
    """

    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    own: Tensor
    out: Tensor
    out_bias: Tensor


class LayerWeights(NamedTuple):
    """All weights of a layer.

    Args:
        relation: None without relation network.
        readers: of each direction that there is.
        heads: H.
        full: in the form for full precision: residuals are in `own`, and where both directions share a
            relation its weights are those of difference and sum of the maps.
        merged: the directions' results are summed.
    """

    relation: Optional[RelationWeights]
    readers: Mapping[int, ReaderWeights]
    heads: int
    full: bool
    merged: bool

    @property
    def split(self) -> bool:
        """Whether the relation's weights are those of difference and sum."""
        return self.full and self.relation is not None and len(self.readers) == 2

    def of_readers(self, per_result: Sequence[Tensor]) -> Dict[int, Tensor]:
        """Returns which of the results, or of their gradients, is each direction's."""
        return dict(zip(self.readers, [*per_result] * len(self.readers) if self.merged else per_result))


class AttentionWeights(NamedTuple):
    """Of one direction as its module holds them; noise is None where there is none."""

    query: Tensor
    query_bias: Tensor
    key: Tensor
    value: Tensor
    value_bias: Tensor
    out: Tensor
    out_bias: Tensor
    noise_k: Optional[Tensor]
    noise_v: Optional[Tensor]


def fold_reader(weights: AttentionWeights, *, modality: int, heads: int, relation: bool) -> ReaderWeights:
    """Folds constants, scale and signs into the weights of one direction; differentiable.

    At least in float32, under autocast too: products of weights would be rounded twice otherwise.

    Args:
        weights: of the module.
        modality: which of the two maps reads, CAMERA or LIDAR.
        heads: H.
        relation: whether the cross key is scored by the relation.
    """
    with torch.autocast(weights.query.device.type, enabled=False):
        return _fold(AttentionWeights(*(
            weight if weight is None else weight.to(torch.promote_types(weight.dtype, torch.float32))
            for weight in weights)), modality, heads, relation)


def _fold(weights: AttentionWeights, modality: int, heads: int, relation: bool) -> ReaderWeights:
    scale = -(weights.query.shape[0] // heads) ** -0.5
    # The twin minus the own feature is lidar - camera for the camera, and its opposite for the LiDAR.
    sign = 1 if modality == CAMERA else -1
    zero = torch.zeros_like(weights.out_bias)
    self_noise = zero if weights.noise_v is None else weights.value @ weights.noise_v
    return ReaderWeights(
        query=scale * weights.query, query_bias=scale * weights.query_bias,
        key=weights.key if relation else -sign * weights.key,
        key_bias=zero if weights.noise_k is None else weights.key @ weights.noise_k,
        value=sign * weights.value, value_bias=-self_noise,
        own=weights.out @ weights.value, out=weights.out,
        out_bias=weights.out @ (self_noise + weights.value_bias) + weights.out_bias)


def split_relation(first: Tensor, second: Tensor) -> Tuple[Tensor, Tensor]:
    """Returns the weights of difference and sum of the maps from Wa and Wb; differentiable.

    Wa x + Wb y = S (x + y) + D (y - x) and Wa y + Wb x = S (x + y) - D (y - x), with S = (Wa + Wb) / 2 and
    D = (Wb - Wa) / 2: two products serve both directions instead of four.
    """
    return (second - first) / 2, (first + second) / 2


def with_residual(reader: ReaderWeights) -> ReaderWeights:
    """Returns weights whose product with the own feature is the residual too; differentiable.

    x + Wo Wv x = (1 + Wo Wv) x: the product brings the residual at no cost. For full precision alone: a
    product in half precision would round the map.
    """
    identity = torch.eye(len(reader.own), dtype=reader.own.dtype, device=reader.own.device)
    return reader._replace(own=identity + reader.own)


def weigh_results(readers: Mapping[int, ReaderWeights], shares: Tensor) -> Dict[int, ReaderWeights]:
    """Returns weights whose results sum to the weighed sum of the directions' results; differentiable.

    Args:
        readers: of both directions, with their residuals.
        shares: (2,), of camera and LiDAR.
    """
    return {modality: reader._replace(
                own=shares[modality] * reader.own, out=shares[modality] * reader.out,
                out_bias=shares[modality] * reader.out_bias)
            for modality, reader in readers.items()}
