"""One direction of GeminiFusion against nn.MultiheadAttention with two keys, as in the official code."""
import pytest
import torch
from torch import nn

from geminifusion3d.fusion.gemini_attention import GeminiAttention, RelationScore

CHANNELS, HEADS, CELLS = 12, 3, 5


def library_attention(ours: GeminiAttention) -> nn.MultiheadAttention:
    """Returns the library's module with our weights."""
    library = nn.MultiheadAttention(CHANNELS, HEADS)
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    library.load_state_dict({
        'in_proj_weight': torch.cat([p.weight for p in projections]),
        'in_proj_bias': torch.cat([ours.q_proj.bias, torch.zeros(CHANNELS), ours.v_proj.bias]),
        'out_proj.weight': ours.out_proj.weight, 'out_proj.bias': ours.out_proj.bias})
    return library


def random_case():
    """Returns a module with lively biases and its five inputs, in double precision."""
    torch.manual_seed(0)
    ours = GeminiAttention(channels=CHANNELS, heads=HEADS).double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    own, other, relation = (torch.randn(CELLS, CHANNELS, dtype=torch.double) for _ in range(3))
    noise_k, noise_v = (torch.randn(CHANNELS, dtype=torch.double) for _ in range(2))
    return ours, (own, other, relation.softmax(-1), noise_k, noise_v)


def test_it_equals_the_library_with_pixels_as_batch():
    ours, (own, other, relation, noise_k, noise_v) = random_case()
    keys = torch.stack([own + noise_k, own * relation])      # (2 keys, cells as batch, C)
    values = torch.stack([own + noise_v, other])
    expected = own + library_attention(ours).double()(own[None], keys, values)[0][0]
    # Logits are reduced in float32 by design.
    assert torch.allclose(ours(own, other, relation, noise_k, noise_v), expected, atol=1e-5)


def test_gradients_reach_every_parameter_and_equal_the_librarys():
    ours, (own, other, relation, noise_k, noise_v) = random_case()
    library = library_attention(ours).double()
    ours(own, other, relation, noise_k, noise_v).square().sum().backward()
    keys, values = torch.stack([own + noise_k, own * relation]), torch.stack([own + noise_v, other])
    (own + library(own[None], keys, values)[0][0]).square().sum().backward()
    found = torch.cat([p.weight.grad for p in (ours.q_proj, ours.k_proj, ours.v_proj)])
    assert torch.allclose(found, library.in_proj_weight.grad, rtol=1e-4, atol=1e-3)
    assert torch.allclose(ours.out_proj.weight.grad, library.out_proj.weight.grad, rtol=1e-4, atol=1e-3)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='5 heads for 12 channels'):
        GeminiAttention(channels=12, heads=5)


def test_relation_scores_follow_the_formula_and_sum_to_one():
    torch.manual_seed(1)
    relation = RelationScore(channels=4)
    own, other = torch.randn(3, 4), torch.randn(3, 4)
    hidden = nn.functional.gelu(relation.fc1(torch.cat([own, other], dim=-1)))
    scores = relation(own, other)
    assert torch.allclose(scores, relation.fc2(hidden).softmax(-1), atol=1e-6)
    assert torch.allclose(scores.sum(-1), torch.ones(3))
