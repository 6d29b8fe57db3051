"""The plain formula against nn.MultiheadAttention with two keys a pixel, as in the official code."""
import pytest
import torch
from gemini_cases import lively_layer, maps
from torch import nn

from geminifusion3d.fusion.gemini_attention import GeminiAttention, RelationScore

CHANNELS, HEADS = 12, 3


def library_attention(ours: GeminiAttention) -> nn.MultiheadAttention:
    """Returns the library's module with our weights."""
    library = nn.MultiheadAttention(CHANNELS, HEADS)
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    library.load_state_dict({
        'in_proj_weight': torch.cat([p.weight for p in projections]),
        'in_proj_bias': torch.cat([ours.q_proj.bias, torch.zeros(CHANNELS), ours.v_proj.bias]),
        'out_proj.weight': ours.out_proj.weight, 'out_proj.bias': ours.out_proj.bias})
    return library


def enrich_by_library(layer, library, own, other, modality):
    """Returns the own cells, (N, C), after they have read the other ones."""
    hidden = nn.functional.gelu(layer.relation.fc1(torch.cat([own, other], dim=-1)))
    relation = layer.relation.fc2(hidden).softmax(-1)
    # (2 keys, cells as batch, C)
    keys = torch.stack([own + layer.k_noise.weight[modality], own * relation])
    values = torch.stack([own + layer.v_noise.weight[modality], other])
    return own + library(own[None], keys, values)[0][0]


@pytest.mark.parametrize('function', ['forward', 'forward_by_formula'])
def test_it_equals_the_library_with_pixels_as_batch(function):
    layer, (camera, lidar) = lively_layer(CHANNELS, HEADS).double(), maps((5, CHANNELS), dtype=torch.double)
    libraries = [library_attention(one).double() for one in (layer.camera_attention, layer.lidar_attention)]
    found = getattr(layer, function)(camera, lidar)
    expected = (enrich_by_library(layer, libraries[0], camera, lidar, 0),
                enrich_by_library(layer, libraries[1], lidar, camera, 1))
    assert all(torch.allclose(one, other, rtol=0, atol=1e-12) for one, other in zip(found, expected))
    gradients = [torch.autograd.grad(sum(one.square().sum() for one in maps_), layer.relation.fc1.weight)[0]
                 for maps_ in (found, expected)]
    assert torch.allclose(*gradients, rtol=1e-9, atol=1e-12) and gradients[0].any()


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='5 heads for 12 channels'):
        GeminiAttention(channels=12, heads=5)


def test_the_relations_first_layer_comes_in_two_halves_own_feature_first():
    relation = RelationScore(channels=4)
    weights = relation.weights()
    own, other = torch.randn(3, 4), torch.randn(3, 4)
    hidden = own @ weights.first.T + other @ weights.second.T + weights.bias
    assert torch.allclose(hidden, relation.fc1(torch.cat([own, other], dim=-1)), atol=1e-6)
