"""GeminiFusion's attention of one direction: each cell attends to itself and to its twin.

Source: Jia et al., GeminiFusion, ICML 2024, section 3.3; the official segmentation branch
(models/mix_transformer.py, class Attention, at 1f102f6), which calls nn.MultiheadAttention with two
keys a pixel. What changes here: the function is the same, the pixels are no batch, the softmax over
two keys is a sigmoid, and one key projection serves both keys.
"""
from typing import Optional

import torch
from jaxtyping import Float
from torch import Tensor, nn


class RelationScore(nn.Module):
    """Tells channel by channel how much the twin feature agrees with the cell's own feature.

    softmax over channels of W2 gelu(W1 [own ; other]); one network serves both directions.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2 * channels, channels)
        self.fc2 = nn.Linear(channels, channels)

    def forward(self, own: Float[Tensor, '*cells c'], other: Float[Tensor, '*cells c']
                ) -> Float[Tensor, '*cells c']:
        """Returns positive scores that sum to 1 over the channels."""
        own_weight, other_weight = self.fc1.weight.chunk(2, dim=1)
        # W1 [own ; other] without the concatenation.
        hidden = nn.functional.linear(own, own_weight, self.fc1.bias)
        hidden = hidden + nn.functional.linear(other, other_weight)
        # Softmax over channels in float32: half precision rounds scores near 1/C away.
        return self.fc2(nn.functional.gelu(hidden)).float().softmax(dim=-1).to(own.dtype)


class GeminiAttention(nn.Module):
    """One direction of GeminiFusion: the own feature queries, the twin is the cross key.

    Per cell, with own x, twin y and relation score r (all C channels), per head of size d:

        a = softmax over {self, cross} of q.k / sqrt(d),   q = Wq x
        k_self = Wk (x + noise_k),   v_self = Wv (x + noise_v)
        k_cross = Wk (x * r),        v_cross = Wv y
        out = x + Wo (a_self v_self + a_cross v_cross)

    Without noise this is the paper's equation 5. Without relation score the cross key is that of its
    equations 2 and 3, k_cross = Wk y (table 9, the row without ARD).

    Args:
        channels: C.
        heads: attention heads; must divide C.

    Raises:
        ValueError: if heads does not divide channels.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f'heads must divide channels, got {heads} heads for {channels} channels')
        self.heads = heads
        self.q_proj = nn.Linear(channels, channels)
        # A key bias adds the same to both logits, which the softmax cannot see.
        self.k_proj = nn.Linear(channels, channels, bias=False)
        self.v_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        for projection in (self.q_proj, self.k_proj, self.v_proj):
            nn.init.xavier_uniform_(projection.weight)
        for projection in (self.q_proj, self.v_proj, self.out_proj):
            nn.init.zeros_(projection.bias)

    def forward(self, own: Float[Tensor, '*cells c'], other: Float[Tensor, '*cells c'],
                relation: Optional[Float[Tensor, '*cells c']], noise_k: Optional[Float[Tensor, ' c']],
                noise_v: Optional[Float[Tensor, ' c']]) -> Float[Tensor, '*cells c']:
        """Returns the own feature enriched by its twin; see the class for the formula.

        Args:
            own: x.
            other: y.
            relation: r, or None.
            noise_k: noise of the self key, or None.
            noise_v: noise of the self value, or None.
        """
        # 1. Two-key softmax = sigmoid of the logit difference, and k_self - k_cross is one projection.
        gap = own * (1 - relation) if relation is not None else own - other
        key_difference = self.k_proj(gap if noise_k is None else gap + noise_k)
        head_size = own.shape[-1] // self.heads
        logits = (self.q_proj(own) * key_difference).unflatten(-1, (self.heads, head_size))
        # 2. Attention logits in float32 whatever the autocast dtype.
        self_share = torch.sigmoid(logits.float().sum(-1, keepdim=True) / head_size ** 0.5)
        # 3. Mix the two values, each head by its own share.
        value_self = self.v_proj(own if noise_v is None else own + noise_v)
        value_cross = self.v_proj(other)
        # Under autocast the values may be of another precision than the map that came in.
        self_share = self_share.to(value_self.dtype).expand_as(logits).flatten(-2)
        return own + self.out_proj(torch.lerp(value_cross, value_self, self_share))
