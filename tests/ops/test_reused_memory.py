"""Memory that is lent again: never while anything still uses it, and never more than was in use at once."""
import gc

import torch

from geminifusion3d.ops.reused_memory import ReusedMemory

FLOATS, DOUBLES = torch.float32, torch.float64


def test_memory_is_lent_again_when_its_tensor_is_gone():
    memory = ReusedMemory()
    first = memory.empty((3, 5), FLOATS)
    assert first.shape == (3, 5) and first.dtype == FLOATS and first.is_contiguous()
    address = first.data_ptr()
    assert memory.held_bytes == 0
    del first
    assert memory.held_bytes == 3 * 5 * 4
    assert memory.empty((15, ), FLOATS).data_ptr() == address


def test_a_view_keeps_the_memory_of_its_tensor():
    memory = ReusedMemory()
    view = memory.empty((4, 6), FLOATS)[1:, ::2].t()
    view.fill_(7.0)
    memory.empty((4, 6), FLOATS).fill_(1.0)
    assert (view == 7.0).all()


def test_what_autograd_has_saved_keeps_its_memory():
    memory = ReusedMemory()
    factor = memory.empty((4, ), DOUBLES).fill_(3.0)
    leaf = torch.ones(4, dtype=DOUBLES, requires_grad=True)
    product = (leaf * factor).sum()
    del factor
    memory.empty((4, ), DOUBLES).fill_(1.0)
    product.backward()
    assert (leaf.grad == 3.0).all()
    del product
    gc.collect()
    assert memory.held_bytes == 2 * 4 * 8


def test_it_holds_no_more_than_was_in_use_at_once():
    memory = ReusedMemory()
    large = memory.empty((100, ), FLOATS)
    del large
    small = memory.empty((60, ), FLOATS)
    # 400 bytes were lent at most; beside 240 lent ones there is no room for the first 400.
    assert memory.held_bytes == 0
    del small
    assert memory.held_bytes == 240
    memory.clear()
    assert memory.held_bytes == 0


def test_nothing_takes_no_memory():
    memory = ReusedMemory()
    assert memory.empty((0, 3), FLOATS).shape == (0, 3)
    assert memory.held_bytes == 0
