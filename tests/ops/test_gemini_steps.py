"""Pointwise steps against their formulas and autograd, in both orders of cells and channels."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.ops import gemini_steps as steps
from geminifusion3d.ops.gemini_heads import Heads
from geminifusion3d.ops.gemini_layout import BlockShape

SHAPES = [BlockShape(1, 2, 5, 6), BlockShape(2, 2, 5, 6)]


def blocks(shape, count, dtype=torch.double):
    """Returns random blocks."""
    torch.manual_seed(0)
    return [torch.randn(shape.size, dtype=torch.double).to(dtype) for _ in range(count)]


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_activation_and_its_gradient(shape):
    hidden, gradient = blocks(shape, 2)
    out, leaf = torch.empty_like(hidden), hidden.clone().requires_grad_()
    steps.activate(hidden, out)
    assert torch.allclose(out, F.gelu(leaf))
    expected, = torch.autograd.grad(F.gelu(leaf), leaf, gradient)
    steps.activate_backward(gradient, hidden, hidden)
    assert torch.allclose(hidden, expected)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_score_and_its_gradient(shape):
    own, scores, gradient, of_own = blocks(shape, 4)
    leaves = [one.clone().requires_grad_() for one in (own, scores)]
    expected = leaves[0] * (1 - leaves[1].softmax(shape.channel_dim))
    expected_own, expected_scores = torch.autograd.grad(expected, leaves, gradient)
    gap = torch.empty_like(own)
    steps.score(own, scores, gap, shape.channel_dim)
    assert torch.allclose(gap, expected)
    minus, total = -gradient, of_own.clone()
    steps.score_backward(own, scores, minus, total, shape.channel_dim)
    assert torch.allclose(minus, expected_scores)
    assert torch.allclose(total, of_own + expected_own)


@pytest.mark.parametrize('weighed', [False, True])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_attention_and_its_gradient(shape, weighed):
    query, key, value, gradient, spare = blocks(shape, 5)
    heads = Heads(3, shape, torch.double, torch.device('cpu'))
    leaves = [one.clone().requires_grad_() for one in (query, key, value)]
    shares = heads.sums(leaves[0] * leaves[1]).sigmoid()
    expected = (heads.split(leaves[2]) * heads.spread(shares)).reshape(shape.size)
    of_query, of_key, of_value = torch.autograd.grad(expected, leaves, gradient)
    assert torch.allclose(steps.share(query, key, spare, heads), shares)
    if weighed:
        value.copy_(expected.detach())
    # The gradients of query and key go into new memory, or each into that of the other one.
    outs = blocks(shape, 2) if weighed else (key, query)
    steps.attend_backward(query, key, value, gradient, *outs, spare, heads, weighed)
    assert torch.allclose(outs[0], of_query) and torch.allclose(outs[1], of_key)
    assert torch.allclose(value, expected) and torch.allclose(gradient, of_value)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
def test_logits_and_softmax_of_half_precision_are_those_of_float32(dtype):
    shape = BlockShape(1, 1, 50, 64)
    heads = Heads(2, shape, torch.float32, torch.device('cpu'))
    query, key, scores, own = blocks(shape, 4, dtype)
    expected = heads.sums(query.double().float() * key.float()).sigmoid()
    shares = steps.share(query, key, torch.empty_like(key), heads)
    assert shares.dtype == torch.float32 and torch.allclose(shares, expected, atol=1e-6)
    expected = scores.float().softmax(-1).to(dtype)
    steps.score(own, scores, torch.empty_like(own), 2)
    assert torch.equal(scores, expected)
