"""Halving a map: its size, its layers' names, and what is refused."""
import pytest
import torch

from geminifusion3d.camera_bev.bev_downsample import bev_downsample


def test_a_map_of_half_cells_ends_on_the_grid():
    module = bev_downsample(4, 2)
    assert module(torch.randn(2, 4, 6, 10)).shape == (2, 4, 3, 5)
    kernels = {name: value.shape for name, value in module.state_dict().items() if value.ndim == 4}
    assert kernels == {f'{index}.weight': (4, 4, 3, 3) for index in (0, 3, 6)}


def test_a_factor_of_one_changes_nothing_and_others_are_refused():
    bev = torch.randn(1, 4, 6, 10)
    assert bev_downsample(4, 1)(bev) is bev
    with pytest.raises(ValueError, match='must be 1 or 2, got 4'):
        bev_downsample(4, 4)
