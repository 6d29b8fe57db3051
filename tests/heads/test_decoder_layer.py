"""The decoder layer against mmdet's DETR layer, and what positions and precision do to it."""
import pytest
import torch
from mmdet.models import DetrTransformerDecoderLayer
from torch import nn

from geminifusion3d.heads.transfusion_layers import DecoderLayer, float32_region

CHANNELS = 8
CELL_XY = torch.tensor([[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5], [1.5, 1.5], [2.5, 1.5]])


def make_layer(dropout=0.0):
    """Returns an initialised layer."""
    torch.manual_seed(0)
    layer = DecoderLayer(channels=CHANNELS, heads=2, feedforward_channels=12, dropout=dropout)
    layer.init_weights()
    return layer


def make_inputs(n_queries=3):
    """Returns queries of two samples, their positions, and a map of six cells."""
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(2, n_queries, CHANNELS, generator=generator),
            torch.rand(2, n_queries, 2, generator=generator) * 3,
            torch.randn(2, 6, CHANNELS, generator=generator), CELL_XY)


def test_without_positions_it_is_the_host_s_detr_layer():
    layer = make_layer().eval()
    attention = dict(embed_dims=CHANNELS, num_heads=2, dropout=0.0, batch_first=True)
    reference = DetrTransformerDecoderLayer(
        self_attn_cfg=attention, cross_attn_cfg=attention,
        ffn_cfg=dict(embed_dims=CHANNELS, feedforward_channels=12, num_fcs=2, ffn_drop=0.0)).eval()
    state = layer.state_dict()
    names = {'self_attn.attn': 'self_attention', 'cross_attn.attn': 'cross_attention',
             'ffn.layers.0.0': 'feedforward.0', 'ffn.layers.1': 'feedforward.3', 'norms': 'norms'}
    reference.load_state_dict({
        name: state[name.replace(theirs, ours)] for name in reference.state_dict()
        for theirs, ours in names.items() if name.startswith(theirs)})
    for position in (layer.query_position, layer.map_position):
        torch.nn.init.zeros_(position[3].weight)
        torch.nn.init.zeros_(position[3].bias)
    queries, query_xy, cells, cell_xy = make_inputs()
    with torch.no_grad():
        expected = reference(query=queries, key=cells, value=cells)
        assert torch.allclose(layer(queries, query_xy, cells, cell_xy), expected, atol=1e-6)


def attend_slowly(attention, query, key):
    """Returns multi-head attention written out, values equal to keys."""
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    projected = [part @ weight.T + bias for part, weight, bias in zip((query, key, key), weights, biases)]
    q, k, v = (part.unflatten(-1, (attention.num_heads, -1)) for part in projected)
    logits = torch.einsum('bnhd,bmhd->bhnm', q, k) / q.shape[-1] ** 0.5
    mixed = torch.einsum('bhnm,bmhd->bnhd', logits.softmax(-1), v).flatten(2)
    return attention.out_proj(mixed)


def test_places_are_added_to_queries_keys_and_values_in_both_attentions():
    layer = make_layer().eval()
    queries, query_xy, cells, cell_xy = make_inputs()
    with torch.no_grad():
        at_query = layer.query_position(query_xy)
        at_cell = layer.map_position(cell_xy.expand(2, 6, 2))
        placed = queries + at_query
        hidden = layer.norms[0](queries + attend_slowly(layer.self_attention, placed, placed))
        seen = attend_slowly(layer.cross_attention, hidden + at_query, cells + at_cell)
        hidden = layer.norms[1](hidden + seen)
        expected = layer.norms[2](hidden + layer.feedforward(hidden))
        assert torch.allclose(layer(queries, query_xy, cells, cell_xy), expected, atol=1e-5)


def test_order_of_queries_and_of_cells_does_not_matter_but_places_do():
    layer = make_layer().eval()
    queries, query_xy, cells, cell_xy = make_inputs()
    by_query, by_cell = torch.tensor([2, 0, 1]), torch.tensor([5, 2, 0, 1, 4, 3])
    with torch.no_grad():
        plain = layer(queries, query_xy, cells, cell_xy)
        shuffled = layer(queries[:, by_query], query_xy[:, by_query], cells[:, by_cell], cell_xy[by_cell])
        assert torch.allclose(shuffled, plain[:, by_query], atol=1e-5)
        assert not torch.allclose(layer(queries, query_xy, cells, cell_xy.flip(1)), plain, atol=1e-3)
        assert not torch.allclose(layer(queries, query_xy.flip(2), cells, cell_xy), plain, atol=1e-3)


def test_under_autocast_it_computes_in_float32():
    layer, inputs, dtypes = make_layer(), make_inputs(), []
    for module in layer.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, __, output: dtypes.append(output.dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16), float32_region(inputs[0]):
        output = layer(*inputs)
    assert set(dtypes) == {torch.float32} and output.dtype == torch.float32
    assert torch.equal(output, layer(*inputs))


def test_dropout_acts_in_training_only():
    layer, inputs = make_layer(dropout=0.5), make_inputs()
    assert not torch.equal(layer(*inputs), layer(*inputs))
    layer.eval()
    assert torch.equal(layer(*inputs), layer(*inputs))


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='got 3 heads for 8'):
        DecoderLayer(channels=8, heads=3, feedforward_channels=12, dropout=0.0)


def test_dropout_has_the_rate_asked_for_everywhere():
    layer = make_layer(dropout=0.3)
    rates = [module.p for module in layer.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.3] * 3
    assert layer.self_attention.dropout == layer.cross_attention.dropout == 0.3
