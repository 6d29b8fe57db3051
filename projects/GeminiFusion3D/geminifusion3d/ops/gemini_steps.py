"""What stands between the matrix products of GeminiFusion, on one block of cells, in PyTorch.

Every step works in place or in memory that it is given, so that a block stays in a CPU's cache. Softmax and
attention logits are computed in float32 (in double for doubles) whatever the dtype of the block.
"""
import torch
from torch import Tensor

from .gemini_layout import Heads

HALVES = (torch.float16, torch.bfloat16)


def activate(hidden: Tensor, out: Tensor) -> None:
    """Writes gelu(hidden), the exact one with erf, into out."""
    torch.ops.aten.gelu.out(hidden, out=out)


def activate_backward(gradient: Tensor, hidden: Tensor) -> None:
    """Puts the gradient of hidden in its place, given that of gelu(hidden)."""
    torch.ops.aten.gelu_backward.grad_input(gradient, hidden, grad_input=hidden)


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


def attend_backward(query: Tensor, key: Tensor, value: Tensor, gradient: Tensor, spare: Tensor, heads: Heads
                    ) -> None:
    """Turns query and key into the gradients of each other, value into the weighed value.

    Args:
        query: becomes the gradient of key.
        key: becomes the gradient of query.
        value: becomes share * value.
        gradient: of share * value; becomes that of value.
        spare: memory of a block.
        heads: of the attention.
    """
    shares = share(query, key, spare, heads)
    of_logit = torch.ops.aten.sigmoid_backward(heads.sums(_product(gradient, value, spare)), shares)
    for block, factor in ((query, of_logit), (key, of_logit), (value, shares), (gradient, shares)):
        weigh(block, factor, heads)


def _product(left: Tensor, right: Tensor, spare: Tensor) -> Tensor:
    return left.float() * right.float() if left.dtype in HALVES else torch.mul(left, right, out=spare)
