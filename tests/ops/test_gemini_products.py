"""Products of blocks and their gradients by either library, in both orders of cells and channels."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.ops import gemini_convolutions
from geminifusion3d.ops.gemini_layout import BlockShape
from geminifusion3d.ops.gemini_products import (BatchedProjection, ConvolvedProjection, ProjectionGradient, projection)

SHAPES = [BlockShape(1, 2, 8, 6), BlockShape(1, 2, 5, 6), BlockShape(2, 3, 5, 6)]
# One cell, one part, as many channels as a vector has, and more.
CONVOLVED = [*SHAPES[:2], BlockShape(1, 1, 1, 6), BlockShape(1, 3, 1, 16), BlockShape(1, 1, 7, 24)]
CASES = [*((BatchedProjection, shape) for shape in SHAPES),
         *((ConvolvedProjection, shape) for shape in CONVOLVED)]


@pytest.fixture(params=CASES, ids=lambda case: f'{case[0].__name__}-{case[1]}')
def case(request, monkeypatch):
    """Returns a kind of projection and a shape of blocks on which it is used."""
    kind, shape = request.param
    monkeypatch.setattr(gemini_convolutions, 'LEAST_CHANNELS', 1)
    monkeypatch.setattr(gemini_convolutions, 'blas_is_slow', lambda: kind is ConvolvedProjection)
    if kind is ConvolvedProjection and not gemini_convolutions.HAS_CONVOLUTIONS:
        pytest.skip('this build of PyTorch has no oneDNN')
    return kind, shape


def rows(block, shape):
    """Returns the cells of a block as (cells, C)."""
    return (block if shape.cell_dim == 1 else block.transpose(1, 2)).flatten(0, 1)


def test_projections_equal_linear_layers_and_their_gradients(case):
    kind, shape = case
    torch.manual_seed(0)
    weight, bias = (torch.randn(size, requires_grad=True) for size in (2 * [shape.channels], shape.channels))
    cells, gradient = torch.randn(shape.size), torch.randn(shape.size)
    leaf = rows(cells, shape).clone().requires_grad_()
    expected = F.linear(leaf, weight, bias)
    expected.backward(rows(gradient, shape))
    by = projection(weight.detach(), bias.detach(), shape)
    assert type(by) is kind
    out = torch.full(shape.size, 7.0)
    found = by.write(cells, out)
    assert found is out and torch.allclose(rows(found, shape), expected, atol=1e-5)
    made = by.make(cells, lambda: torch.full(shape.size, 7.0))
    assert made.is_contiguous() and torch.allclose(made, found, atol=1e-5)
    without_bias = projection(weight.detach(), None, shape).write(cells, torch.empty(shape.size))
    assert torch.allclose(rows(by.add(cells, without_bias.clone()), shape), 2 * (expected - bias), atol=1e-5)
    back = by.write_back(gradient, torch.full(shape.size, 7.0))
    assert torch.allclose(rows(back, shape), leaf.grad, atol=1e-5)
    assert torch.allclose(by.make_back(gradient, lambda: torch.full(shape.size, 7.0)), back, atol=1e-5)
    assert torch.allclose(by.add_back(gradient, back.clone()), 2 * back, atol=1e-5)
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
