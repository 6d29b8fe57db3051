"""Windows of a map: there and back, and which cell lies where."""
import pytest
import torch

from geminifusion3d.fusion.windows import cells_from_windows, windows_from_cells


@pytest.mark.parametrize('window_yx', [(2, 2), (3, 2), (5, 7), (4, 8)])
def test_windows_come_back_where_they_were(window_yx):
    cells = torch.randn(2, 5, 7, 4)
    windows = windows_from_cells(cells, window_yx, heads=2)
    assert windows.shape[1:] == (2, window_yx[0] * window_yx[1], 2)
    assert torch.equal(cells_from_windows(windows, window_yx, (5, 7)), cells)


def test_windows_run_row_by_row_and_end_in_zeros():
    # Each cell holds 10 row + column + 1, in two channels of opposite sign, one for each head.
    number = 10 * torch.arange(3.0)[:, None] + torch.arange(5.0) + 1
    cells = torch.stack([number, -number], dim=-1)[None]
    windows = windows_from_cells(cells, (2, 3), heads=2)
    assert windows.shape == (4, 2, 6, 1)
    assert windows[0, 0, :, 0].tolist() == [1, 2, 3, 11, 12, 13]
    assert windows[1, 0, :, 0].tolist() == [4, 5, 0, 14, 15, 0]
    assert windows[2, 1, :, 0].tolist() == [-21, -22, -23, 0, 0, 0]
    assert windows[3, 0, :, 0].tolist() == [24, 25, 0, 0, 0, 0]
