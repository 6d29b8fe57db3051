"""What stands between the matrix products of GeminiFusion, on one block of cells, in PyTorch.

Every step works in place or in memory that it is given, so that a block stays in a CPU's cache. Softmax and
attention logits are computed in float32 (in double for doubles) whatever the dtype of the block.
"""
import torch
from torch import Tensor

from .gemini_heads import Heads

HALVES = (torch.float16, torch.bfloat16)


def activate(hidden: Tensor, out: Tensor) -> None:
    """Writes gelu(hidden), the exact one with erf, into out."""
    torch.ops.aten.gelu.out(hidden, out=out)


def activate_backward(gradient: Tensor, hidden: Tensor, out: Tensor) -> None:
    """Writes the gradient of hidden, given that of gelu(hidden), into out, which may be hidden."""
    torch.ops.aten.gelu_backward.grad_input(gradient, hidden, grad_input=out)


def score(own: Tensor, scores: Tensor, gap: Tensor, channel_dim: int) -> None:
    """Turns scores into relation = softmax over channels, and writes own * (1 - relation) into gap."""
    if scores.dtype in HALVES:
        scores.copy_(scores.float().softmax(channel_dim))
    else:
        torch.softmax(scores, channel_dim, out=scores)
    torch.addcmul(own, own, scores, value=-1, out=gap)


def score_backward(own: Tensor, relation: Tensor, minus_gap: Tensor, gradient: Tensor, channel_dim: int
                   ) -> None:
    """Turns minus the gradient of gap into that of the scores, and adds that of own to `gradient`."""
    gradient.sub_(minus_gap).addcmul_(minus_gap, relation)
    minus_gap.mul_(own)
    if own.dtype in HALVES:
        minus_gap.copy_(torch._softmax_backward_data(
            minus_gap.float(), relation.float(), channel_dim, torch.float32))
    else:
        torch._softmax_backward_data(
            minus_gap, relation, channel_dim, relation.dtype, grad_input=minus_gap)


def share(query: Tensor, key: Tensor, spare: Tensor, heads: Heads) -> Tensor:
    """Returns the cross key's share, sigmoid(query . key) of each head, in float32 or double.

    Args:
        query: of the own feature.
        key: cross minus self key.
        spare: memory of a block; may be that of the key, which is used up then.
        heads: of the attention.
    """
    return heads.sums(_product(query, key, spare)).sigmoid_()


def weigh(value: Tensor, shares: Tensor, heads: Heads) -> None:
    """Multiplies the channels of each head by its share."""
    heads.split(value).mul_(heads.spread(shares.to(value.dtype)))


def attend_backward(query: Tensor, key: Tensor, value: Tensor, gradient: Tensor, of_query: Tensor,
                    of_key: Tensor, spare: Tensor, heads: Heads, weighed: bool) -> None:
    """Writes the gradients of query and key, turns the value into the weighed value.

    Args:
        query: of the own feature.
        key: cross minus self key.
        value: becomes share * value, unless it is that already.
        gradient: of share * value; becomes that of value.
        of_query: written; may be the key.
        of_key: written; may be the query.
        spare: memory of a block.
        heads: of the attention.
        weighed: whether value is share * value already.
    """
    shares = share(query, key, spare, heads)
    if not weighed:
        weigh(value, shares, heads)
    # The slope of the sigmoid is share * (1 - share); the weighed value brings the first factor.
    of_logit = heads.sums(_product(gradient, value, spare)).mul_(1 - shares)
    factor = heads.spread(of_logit.to(query.dtype))
    # In both orders at once where each takes the other's place: each reads and writes its own memory.
    torch.mul(heads.split(query), factor, out=heads.split(of_key))
    torch.mul(heads.split(key), factor, out=heads.split(of_query))
    weigh(gradient, shares, heads)


def _product(left: Tensor, right: Tensor, spare: Tensor) -> Tensor:
    return left.float() * right.float() if left.dtype in HALVES else torch.mul(left, right, out=spare)
