"""Shifted maps: bitwise the same at zero, whole cells exactly, halves in between, zero outside."""
import torch

from geminifusion3d.ops.shift_sample import shift_sample


def constant_shift(dx, dy, shape_yx=(5, 9)):
    """Returns the same shift for every cell of one sample."""
    return torch.tensor([dx, dy]).view(1, 2, 1, 1).expand(1, 2, *shape_yx).contiguous()


def test_no_shift_returns_the_same_numbers_on_any_size():
    for n_y, n_x in ((5, 9), (180, 1), (128, 77), (1, 180)):
        maps = torch.randn(2, 3, n_y, n_x) * 1e3
        assert torch.equal(shift_sample(maps, torch.zeros(2, 2, n_y, n_x)), maps)


def test_whole_cells_and_halves_by_hand():
    maps = torch.zeros(1, 1, 5, 9)
    maps[0, 0, 1, 6] = 8.0
    # What stands at row 1, column 6 appears where row + dy = 1 and column + dx = 6.
    shifted = shift_sample(maps, constant_shift(2.0, -1.0))
    assert shifted[0, 0, 2, 4] == 8 and shifted.sum() == 8
    halves = shift_sample(maps, constant_shift(0.5, 0.0))
    assert halves[0, 0, 1, 5:7].tolist() == [4.0, 4.0] and halves.sum() == 8


def test_zero_comes_in_from_every_side():
    ones = torch.ones(1, 1, 5, 9)
    assert (shift_sample(ones, constant_shift(2.0, 0.0))[..., -2:] == 0).all()
    assert (shift_sample(ones, constant_shift(-2.0, 0.0))[..., :2] == 0).all()
    assert (shift_sample(ones, constant_shift(0.0, 1.0))[..., -1, :] == 0).all()
    assert (shift_sample(ones, constant_shift(0.0, -1.0))[..., 0, :] == 0).all()
    assert shift_sample(ones, constant_shift(50.0, 50.0)).sum() == 0
