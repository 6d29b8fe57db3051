"""GeminiFusion's attention of one direction: each cell attends to itself and to its twin.

Source: Jia et al., GeminiFusion, ICML 2024, section 3.3; the official segmentation branch
(models/mix_transformer.py, class Attention, at 1f102f6), which calls nn.MultiheadAttention with two
keys a pixel. What changes here: the function is the same, the pixels are no batch, the softmax over
two keys is a sigmoid, and one key projection serves both keys. The modules of this file hold the weights;
ops/gemini_exchange.py computes a layer.
"""
from typing import Optional

from jaxtyping import Float
from torch import Tensor, nn

from ..ops.gemini_weights import AttentionWeights, RelationWeights


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

    def weights(self) -> RelationWeights:
        """Returns the weights; W1 [own ; other] without the concatenation takes W1 in two halves."""
        own_weight, other_weight = self.fc1.weight.chunk(2, dim=1)
        return RelationWeights(own_weight, other_weight, self.fc1.bias, self.fc2.weight, self.fc2.bias)


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

    def weights(self, noise_k: Optional[Float[Tensor, ' c']], noise_v: Optional[Float[Tensor, ' c']]
                ) -> AttentionWeights:
        """Returns the weights of the direction.

        Args:
            noise_k: noise of the self key, or None.
            noise_v: noise of the self value, or None.
        """
        return AttentionWeights(
            self.q_proj.weight, self.q_proj.bias, self.k_proj.weight, self.v_proj.weight, self.v_proj.bias,
            self.out_proj.weight, self.out_proj.bias, noise_k, noise_v)
