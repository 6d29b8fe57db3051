"""Cross-attention, full and in windows, against its formula cell by cell."""
import pytest
import torch
from torch import nn

from geminifusion3d.fusion.cross_attention import (CrossAttention, GeminiCrossAttention, cells_from_windows,
                                                   sine_positions, windows_from_cells)


def cells(batch=2):
    """Returns two maps of 5 rows and 7 columns, channels last."""
    torch.manual_seed(1)
    return torch.randn(batch, 5, 7, 8), torch.randn(batch, 5, 7, 8)


def attention(window, heads=2):
    """Returns attention whose parameters are all different from their start."""
    torch.manual_seed(0)
    module = CrossAttention(channels=8, heads=heads, window=window)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def attend_slowly(module, own, other):
    """Returns the enriched cells, one query after the other, from the cells of its own window alone."""
    position = sine_positions(own)
    q, k, v = module.q_proj(own + position), module.k_proj(other + position), module.v_proj(other)
    side = module.window or 7
    expected = torch.zeros_like(own)
    for b, i, j in torch.cartesian_prod(*map(torch.arange, own.shape[:3])).tolist():
        top, left = i // side * side, j // side * side
        keys = k[b, top:top + side, left:left + side].flatten(0, 1)
        values = v[b, top:top + side, left:left + side].flatten(0, 1)
        found = []
        for part in torch.arange(8).chunk(module.heads):
            shares = (keys[:, part] @ q[b, i, j, part] / len(part) ** 0.5).softmax(0)
            assert shares.sum().item() == pytest.approx(1, abs=1e-5)
            found.append(shares @ values[:, part])
        expected[b, i, j] = own[b, i, j] + module.out_proj(torch.cat(found))
    return expected


@pytest.mark.parametrize('window', [None, 7, 3, 2])
@torch.no_grad()
def test_it_equals_the_formula_also_in_windows_that_are_cut_off(window):
    module, (own, other) = attention(window), cells()
    assert torch.allclose(module(own, other), attend_slowly(module, own, other), atol=1e-5)


@torch.no_grad()
def test_a_cell_attends_to_its_own_window_of_the_other_map():
    module, (own, other) = attention(window=3), cells()
    changed = other.clone()
    changed[:, 4, 6] += 1.0
    moved = (module(own, changed) - module(own, other)).abs().sum(-1) > 1e-6
    expected = torch.zeros(5, 7, dtype=torch.bool)
    expected[3:, 6:] = True  # windows begin at rows 0, 3 and columns 0, 3, 6
    assert torch.equal(moved, expected.expand_as(moved))


def test_each_cell_has_a_position_of_its_own():
    positions = sine_positions(torch.zeros(1, 40, 60, 8)).flatten(0, 1)
    distances = torch.cdist(positions, positions) + torch.eye(2400)
    assert distances.min() > 0.05
    # Row 0, column 0: sines are 0, cosines are 1.
    assert positions[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert torch.allclose(positions[1, 4], torch.tensor(1.0).sin())  # one column on, along the fastest wave
    assert torch.equal(positions[1, :4], positions[0, :4])


@pytest.mark.parametrize('wrong, message', [
    (dict(channels=8, heads=3, window=None), '8 channels and 3 heads'),
    (dict(channels=6, heads=2, window=None), 'multiple of heads and of 4, got 6'),
    (dict(channels=8, heads=2, window=1), 'at least 2 cells wide.*got 1')])
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        CrossAttention(**wrong)


def test_the_shares_weigh_the_two_enriched_maps():
    torch.manual_seed(0)
    fuser = GeminiCrossAttention(channels=8, heads=2, window=3)
    camera, lidar = torch.randn(2, 8, 5, 7), torch.randn(2, 8, 5, 7)
    cells = camera.permute(0, 2, 3, 1), lidar.permute(0, 2, 3, 1)
    fuser.merge.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    expected = 0.75 * fuser.camera_attention(*cells) + 0.25 * fuser.lidar_attention(*cells[::-1])
    assert torch.allclose(fuser(camera, lidar), expected.permute(0, 3, 1, 2), atol=1e-6)


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
