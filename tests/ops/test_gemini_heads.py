"""Sums over heads and what goes back, in both orders and with either way to sum."""
import pytest
import torch

from geminifusion3d.ops import gemini_heads
from geminifusion3d.ops.gemini_heads import Heads
from geminifusion3d.ops.gemini_layout import BlockShape

SHAPES = [BlockShape(1, 2, 8, 6), BlockShape(1, 2, 5, 6), BlockShape(2, 3, 5, 6)]


@pytest.mark.parametrize('convolves', [False, True])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_heads_take_neighbouring_channels(shape, convolves, monkeypatch):
    monkeypatch.setattr(gemini_heads, 'convolves', lambda *_: convolves)
    heads = Heads(3, shape, torch.float32, torch.device('cpu'))
    channel = torch.arange(6.0).view(1, 1, 6) if shape.cell_dim == 1 else torch.arange(6.0).view(1, 6, 1)
    block = channel.expand(shape.size).contiguous()
    sums = heads.sums(block).movedim(shape.channel_dim, -1)
    assert (sums == torch.tensor([0 + 1, 2 + 3, 4 + 5.0])).all()
    spread = torch.ones_like(heads.split(block)) * heads.spread(heads.sums(block))
    expected = torch.tensor([1.0, 1, 5, 5, 9, 9])
    assert (spread.reshape(shape.size).movedim(shape.channel_dim, -1) == expected).all()
