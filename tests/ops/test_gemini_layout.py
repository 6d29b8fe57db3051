"""Blocks of cells: every cell once, products and their gradients in both orders, sums of heads."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.ops.gemini_layout import (BlockShape, Heads, Projection, ProjectionGradient,
                                              plan_blocks)

SHAPES = [BlockShape(1, 2, 8, 6), BlockShape(1, 2, 5, 6), BlockShape(2, 3, 5, 6)]


def rows(block, shape):
    """Returns the cells of a block as (cells, C)."""
    return (block if shape.cell_dim == 1 else block.transpose(1, 2)).flatten(0, 1)


def test_blocks_are_cut_by_hand():
    # Two blocks of two parts of at most 4 cells, 11 / 4 cells a part; one cell is no multiple of the parts.
    assert plan_blocks(11, 2, 4) == [(0, 2, 3), (6, 2, 2), (10, 1, 1)]
    assert plan_blocks(24, 2, 5) == [(0, 2, 4), (8, 2, 4), (16, 2, 4)]
    assert plan_blocks(0, 2, 4) == []
    assert plan_blocks(1, 4, 4) == [(0, 1, 1)]


@pytest.mark.parametrize('n_cells', range(1, 40, 7))
@pytest.mark.parametrize('cell_dim', [1, 2])
def test_every_cell_is_in_one_block_and_in_its_place(n_cells, cell_dim):
    features = torch.arange(n_cells * 3).view(n_cells, 3)
    copied = torch.full_like(features, -1)
    for start, parts, size in plan_blocks(n_cells, 3, 4):
        shape = BlockShape(cell_dim, parts, size, 3)
        assert shape.cells(features, start).shape == shape.size
        assert (shape.cells(copied, start) == -1).all()
        shape.cells(copied, start).copy_(shape.cells(features, start))
    assert torch.equal(copied, features)


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_projections_equal_linear_layers_and_their_gradients(shape):
    torch.manual_seed(0)
    weight, bias = torch.randn(6, 6, requires_grad=True), torch.randn(6, requires_grad=True)
    cells, gradient = torch.randn(shape.size), torch.randn(shape.size)
    leaf = rows(cells, shape).clone().requires_grad_()
    expected = F.linear(leaf, weight, bias)
    expected.backward(rows(gradient, shape))
    projection = Projection(weight.detach(), bias.detach(), shape)
    found = projection.write(cells, torch.full(shape.size, 7.0))
    assert torch.allclose(rows(found, shape), expected, atol=1e-5)
    without_bias = Projection(weight.detach(), None, shape).write(cells, torch.empty(shape.size))
    assert torch.allclose(rows(projection.add(cells, without_bias.clone()), shape),
                          2 * (expected - bias), atol=1e-5)
    back = projection.write_back(gradient, torch.empty(shape.size))
    assert torch.allclose(rows(back, shape), leaf.grad, atol=1e-5)
    assert torch.allclose(projection.add_back(gradient, back.clone()), 2 * back, atol=1e-5)
    total = ProjectionGradient(weight.detach(), parts=4)
    for _ in range(2):
        total.add(gradient, cells, shape)
    assert torch.allclose(total.weight.sum(0), 2 * weight.grad, atol=1e-4)
    assert torch.allclose(total.bias, 2 * bias.grad, atol=1e-4)


def test_gradients_of_half_precision_are_summed_in_float32():
    shape = BlockShape(1, 1, 4, 6)
    total = ProjectionGradient(torch.zeros(6, 6, dtype=torch.bfloat16), parts=1)
    ones = torch.ones(shape.size, dtype=torch.bfloat16)
    for _ in range(200):
        total.add(ones, ones, shape)
    # bfloat16 knows no 801: sums would stop growing at 256 times the summand.
    assert (total.weight == 800).all() and (total.bias == 800).all()


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_heads_take_neighbouring_channels(shape):
    heads = Heads(3, shape, torch.float32, torch.device('cpu'))
    channel = torch.arange(6.0).view(1, 1, 6) if shape.cell_dim == 1 else torch.arange(6.0).view(1, 6, 1)
    block = channel.expand(shape.size).contiguous()
    sums = heads.sums(block).movedim(shape.channel_dim, -1)
    assert (sums == torch.tensor([0 + 1, 2 + 3, 4 + 5.0])).all()
    spread = torch.ones_like(heads.split(block)) * heads.spread(heads.sums(block))
    expected = torch.tensor([1.0, 1, 5, 5, 9, 9])
    assert (spread.reshape(shape.size).movedim(shape.channel_dim, -1) == expected).all()
