"""Every tensor of the other head has one place in ours, and the kernels that see x and y are swapped."""
import pytest
import torch
from tiny_transfusion import build_head

from geminifusion3d.checkpoints.bevfusion_keys import (bevfusion_head_key_map,
                                                       convert_bevfusion_head)

# A sample of the published checkpoint's names and shapes, without `bbox_head.`.
PUBLISHED = {
    'shared_conv.weight': (128, 512, 3, 3), 'heatmap_head.0.conv.weight': (128, 128, 3, 3),
    'heatmap_head.0.bn.running_var': (128,), 'heatmap_head.1.bias': (10,),
    'class_encoding.weight': (128, 10, 1), 'decoder.0.self_attn.attn.in_proj_weight': (384, 128),
    'decoder.0.cross_attn.attn.out_proj.bias': (128,), 'decoder.0.ffn.layers.0.0.weight': (256, 128),
    'decoder.0.ffn.layers.1.weight': (128, 256), 'decoder.0.norms.2.weight': (128,),
    'decoder.0.self_posembed.position_embedding_head.0.weight': (128, 2, 1),
    'decoder.0.cross_posembed.position_embedding_head.1.running_mean': (128,),
    'decoder.0.cross_posembed.position_embedding_head.3.weight': (128, 128, 1),
    'prediction_heads.0.center.0.conv.weight': (64, 128, 1),
    'prediction_heads.0.dim.0.bn.num_batches_tracked': (),
    'prediction_heads.0.vel.1.weight': (2, 64, 1), 'prediction_heads.0.heatmap.1.weight': (10, 64, 1)}


def their_state(head):
    """Returns a state dict under their names whose values are ours, kernels swapped."""
    state = head.state_dict()
    return {theirs: state[ours].transpose(-1, -2) if state[ours].dim() == 4 else state[ours]
            for theirs, ours in bevfusion_head_key_map().items()}


def test_names_and_shapes_are_those_of_the_published_head():
    head = build_head(in_channels=512, hidden_channels=128, branch_channels=64,
                      decoder=dict(heads=8, feedforward_channels=256, dropout=0.1))
    shapes = {name: tuple(tensor.shape) for name, tensor in their_state(head).items()}
    assert {name: shapes[name] for name in PUBLISHED} == PUBLISHED


def test_every_tensor_of_ours_comes_from_exactly_one_of_theirs():
    ours = bevfusion_head_key_map().values()
    assert len(set(ours)) == len(ours) and set(ours) == set(build_head().state_dict())


def test_what_shapes_cannot_tell_apart_goes_where_it_is_used():
    # Their self_posembed embeds the queries' places, for both attentions; cross_posembed the cells'.
    key_map = bevfusion_head_key_map()
    for theirs, ours in (('self_posembed.position_embedding_head.0.weight', 'query_position.0.weight'),
                         ('cross_posembed.position_embedding_head.0.weight', 'map_position.0.weight'),
                         ('self_attn.attn.in_proj_weight', 'self_attention.in_proj_weight'),
                         ('cross_attn.attn.in_proj_weight', 'cross_attention.in_proj_weight'),
                         ('norms.0.weight', 'norms.0.weight'), ('norms.1.weight', 'norms.1.weight')):
        assert key_map[f'decoder.0.{theirs}'] == f'decoder.{ours}'
    for branch in ('center', 'rot', 'vel'):
        assert key_map[f'prediction_heads.0.{branch}.1.weight'] == f'prediction.{branch}.1.weight'


def test_converted_weights_load_and_slide_over_the_transposed_map():
    source, target = build_head(seed=1), build_head(seed=2)
    state = their_state(source)
    target.load_state_dict(convert_bevfusion_head(state), strict=True)
    bev_xy = torch.randn(1, 16, 6, 4)
    theirs = torch.conv2d(bev_xy, state['shared_conv.weight'], state['shared_conv.bias'], padding=1)
    ours = target.shared_conv(bev_xy.transpose(2, 3))
    assert torch.allclose(ours, theirs.transpose(2, 3), atol=1e-6)
    assert not torch.allclose(state['shared_conv.weight'], target.shared_conv.weight)


def test_weights_of_another_head_are_refused():
    state = their_state(build_head())
    state.pop('shared_conv.bias')
    state['decoder.1.norms.0.bias'] = torch.zeros(1)
    with pytest.raises(ValueError, match=r"missing \['shared_conv.bias'\] \(1 in all\), unknown "
                                         r"\['decoder.1.norms.0.bias'\] \(1 in all\)"):
        convert_bevfusion_head(state)
