"""Where a cell lies: nothing at the start, then the formula of the cell's range and bearing."""
import math

import pytest
import torch
from tiny_detector import SMALL_GRID, build_detector

from geminifusion3d.fusion.cell_encoding import GeminiCellEncoding, cell_places
from geminifusion3d.fusion.gemini_fusion import GeminiFusion
from geminifusion3d.geometry.bev_grid import BEVGrid

# 6 columns, 4 rows of 2 m; centres at x = -5 .. 5 and y = -1 .. 5.
GRID = BEVGrid(range_m=(-6.0, -2.0, -3.0, 6.0, 6.0, 3.0), cell_m=2.0)


def build(modalities=2):
    """Returns an encoding whose parameters are all different from their start."""
    torch.manual_seed(0)
    encoding = GeminiCellEncoding(channels=3, bev_grid=GRID, modalities=modalities, hidden_channels=5)
    for parameter in encoding.parameters():
        torch.nn.init.normal_(parameter)
    return encoding.double()


def maps(number=2):
    """Returns maps of 2 samples."""
    torch.manual_seed(1)
    return torch.randn(number, 2, 3, *GRID.shape_yx, dtype=torch.float64).unbind()


def test_at_first_the_maps_pass_bit_by_bit_also_after_init_weights():
    encoding, bevs = GeminiCellEncoding(channels=3, bev_grid=GRID).double(), maps()
    encoding.init_weights()
    assert all(torch.equal(after, before) for after, before in zip(encoding(*bevs), bevs))


def test_places_are_those_of_the_cells_centres():
    places = cell_places(GRID)
    assert places.shape == (1, 3, 4, 6)
    # Row 2 is y = 3, column 5 is x = 5.
    expected = [math.log(1 + math.hypot(5, 3)), 3 / math.hypot(5, 3), 5 / math.hypot(5, 3)]
    assert places[0, :, 2, 5].tolist() == pytest.approx(expected, abs=1e-6)
    # A cell at the LiDAR itself has a range of nothing, and no infinite logarithm.
    around = BEVGrid(range_m=(-1.5, -1.5, -3.0, 1.5, 1.5, 3.0), cell_m=1.0)
    assert cell_places(around)[0, :, 1, 1].tolist() == pytest.approx([0, 0, 1], abs=1e-6)


def test_each_map_is_multiplied_by_the_formula_of_its_own():
    encoding, bevs = build(), maps()
    found = encoding(*bevs)
    first, _, last = encoding.encode
    for y, x in ((0, 0), (3, 1), (1, 5)):
        place = encoding.places[0, :, y, x]
        hidden = (first.weight[:, :, 0, 0] @ place + first.bias).clamp(min=0)
        factors = 1 + last.weight[:, :, 0, 0] @ hidden + last.bias
        for bev, after, factor in zip(bevs, found, factors.chunk(2)):
            assert torch.allclose(after[..., y, x], bev[..., y, x] * factor, rtol=0, atol=1e-13)


def test_with_it_a_fuser_of_single_cells_tells_places_apart():
    fuser, encoding = GeminiFusion(channels=3, heads=1).double(), build()
    same = [torch.ones_like(bev) for bev in maps()]
    spread = [fuser(*bevs).flatten(2).std(dim=2).max().item() for bevs in (same, encoding(*same))]
    assert spread[0] < 1e-12 and spread[1] > 1e-2


def test_gradients_reach_every_parameter_and_no_place_is_saved():
    encoding = build(modalities=3)
    sum(bev.square().sum() for bev in encoding(*maps(3))).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in encoding.parameters())
    # The grid is the config's: a checkpoint of another one must not bring its own.
    assert sorted(encoding.state_dict()) == ['encode.0.bias', 'encode.0.weight', 'encode.2.bias',
                                             'encode.2.weight']


def test_half_precision_stays_half():
    assert [bev.dtype for bev in build().float()(*(bev.half() for bev in maps()))] == [torch.half] * 2


def test_maps_of_another_grid_are_refused():
    with pytest.raises(ValueError, match=r'\(4, 6\) cells got a map \(2, 3, 6, 4\)'):
        build()(*(bev.transpose(2, 3) for bev in maps()))


def test_in_the_detector_it_lies_on_the_models_grid_before_gate_and_fuser():
    cell_encoding = dict(type='GeminiCellEncoding', channels=48)
    plain, placed = build_detector().eval(), build_detector(
        cell_encoding=cell_encoding, gate=dict(type='GeminiReliabilityGate', channels=48)).eval()
    placed.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(placed.cell_encoding.places, cell_places(BEVGrid.from_config(SMALL_GRID)))
    bevs, seen = [torch.ones(1, 48, 16, 24)] * 2, []
    placed.gate.register_forward_hook(lambda module, inputs, output: seen.append(inputs))
    with torch.no_grad():
        assert torch.equal(placed.fuse(bevs).bev, plain.fuse(bevs).bev)
        torch.nn.init.normal_(placed.cell_encoding.encode[-1].weight)
        placed.fuse(bevs)
    assert torch.equal(seen[0][0], bevs[0]) and not torch.equal(seen[1][0], bevs[0])
    with pytest.raises(ValueError, match='got a bev_grid of its own'):
        build_detector(cell_encoding=dict(cell_encoding, bev_grid=SMALL_GRID))
