"""The offset field: nothing at first, whole cells where asked, and it learns a miscalibration."""
import pytest
import torch

from geminifusion3d.alignment.offset_field import OffsetField, shift_sample
from geminifusion3d.geometry.bev_grid import BEVGrid

# 24 columns, 16 rows of 0.5 m.
GRID = BEVGrid(range_m=(-6.0, -4.0, -3.0, 6.0, 4.0, 3.0), cell_m=0.5)


def make_field(channels=4):
    """Returns an offset field of up to 1 m, which is two cells."""
    torch.manual_seed(0)
    return OffsetField(channels=channels, bev_grid=GRID, max_offset_m=1.0, hidden_channels=8,
                       norm_momentum=0.1)


def test_at_first_the_camera_map_passes_bit_by_bit_also_after_init_weights():
    field = make_field()
    field.init_weights()
    camera, lidar = torch.randn(2, 2, 4, 16, 24).unbind()
    for mode in (True, False):
        assert torch.equal(field.train(mode)(camera, lidar), camera)


def test_gradients_reach_the_offsets_and_both_maps_from_the_first_step():
    field = make_field()
    camera, lidar = (torch.randn(1, 4, 16, 24, requires_grad=True) for _ in range(2))
    field(camera, lidar).square().sum().backward()
    assert field.offset.weight.grad.abs().max() > 0 and field.offset.bias.grad.abs().min() > 0
    assert camera.grad.abs().max() > 0


def test_a_constant_offset_moves_a_landmark_by_so_many_metres():
    field = make_field(channels=1).eval()
    # 2 tanh(raw / 2) = 1 cell along x, -1 along y: half a metre each.
    raw = 2 * torch.atanh(torch.tensor(0.5))
    field.offset.bias.data = torch.stack([raw, -raw])
    camera = torch.zeros(1, 1, 16, 24)
    row, column = divmod(GRID.cell_of(torch.tensor([3.1, -2.2, 0.0])).item(), 24)
    camera[0, 0, row, column] = 5
    moved = field(camera, torch.zeros_like(camera))
    row, column = divmod(GRID.cell_of(torch.tensor([2.6, -1.7, 0.0])).item(), 24)
    assert moved[0, 0, row, column].item() == pytest.approx(5, abs=1e-4)


def test_offsets_stay_within_their_bound():
    field = make_field().eval()
    field.offset.bias.data = torch.tensor([1e6, -1e6])
    offsets = field.offsets_cells(*torch.randn(2, 1, 4, 16, 24).unbind())
    assert offsets[:, 0].max() == 2 and offsets[:, 1].min() == -2


def test_it_learns_that_the_camera_stands_one_cell_beside():
    field = make_field(channels=2).train()
    optimiser = torch.optim.Adam(field.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(150):
        noise = torch.randn(4, 2, 16, 24, generator=generator)
        lidar = torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)
        camera = lidar.roll(1, dims=3)  # every object appears one column further right
        loss = (field(camera, lidar) - lidar)[..., 2:-2].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    dx, dy = field.eval().offsets_cells(camera, lidar)[..., 2:-2].mean((0, 2, 3)).tolist()
    assert dx == pytest.approx(1, abs=0.25) and dy == pytest.approx(0, abs=0.25)


def test_a_bound_of_nothing_is_refused():
    with pytest.raises(ValueError, match='positive, got 0'):
        OffsetField(channels=1, bev_grid=GRID, max_offset_m=0)


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
