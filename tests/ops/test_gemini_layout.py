"""Blocks of cells: every cell is in one block and in its place."""
import pytest
import torch

from geminifusion3d.ops.gemini_layout import BlockShape, plan_blocks


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
