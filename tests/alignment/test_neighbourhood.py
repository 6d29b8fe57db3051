"""A twin looked for nearby: the formula, nothing at a reach of nothing, and it finds what stands aside."""
import math

import pytest
import torch
from mmdet3d.registry import MODELS

from geminifusion3d.alignment.neighbourhood import Neighbourhood
from geminifusion3d.fusion.gemini_fusion import GeminiFusion
from geminifusion3d.geometry.bev_grid import BEVGrid

# 6 columns, 4 rows of 0.5 m.
GRID = BEVGrid(range_m=(-1.5, -1.0, -3.0, 1.5, 1.0, 3.0), cell_m=0.5)


def build(reach_m=0.5, channels=4, heads=2):
    """Returns a neighbourhood whose parameters are all different from their start."""
    search = Neighbourhood(channels=channels, bev_grid=GRID, reach_m=reach_m, heads=heads)
    torch.manual_seed(0)
    for parameter in search.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return search.double()


def maps(channels=4, samples=2, shape_yx=GRID.shape_yx):
    """Returns a camera map and a LiDAR map."""
    torch.manual_seed(1)
    return torch.randn(2, samples, channels, *shape_yx, dtype=torch.float64).unbind()


def read_slowly(search, camera, lidar, b, y, x):
    """Returns what the LiDAR cell (y, x) reads, from the formula alone."""
    def project(layer, bev, row, column):
        return layer.weight[:, :, 0, 0] @ bev[b, :, row, column] + layer.bias
    channels, (n_y, n_x) = camera.shape[1], camera.shape[-2:]
    query, size, read = project(search.q_proj, lidar, y, x), channels // search.heads, []
    for head in range(search.heads):
        part, logits, values = slice(head * size, (head + 1) * size), [], []
        for index, (dy, dx) in enumerate((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)):
            if 0 <= y + dy < n_y and 0 <= x + dx < n_x:
                key = project(search.k_proj, camera, y + dy, x + dx)
                logits.append(query[part] @ key[part] / size ** 0.5 + search.bias[index, head])
                values.append(camera[b, part, y + dy, x + dx])
        read.append(torch.stack(logits).softmax(0) @ torch.stack(values))
    return torch.cat(read)


def test_it_equals_a_slow_loop_written_from_the_formula():
    search, (camera, lidar) = build(), maps()
    found = search(camera, lidar)
    assert found.shape == camera.shape
    for b in range(2):
        for y in range(4):
            for x in range(6):
                expected = read_slowly(search, camera, lidar, b, y, x)
                assert torch.allclose(found[b, :, y, x], expected, rtol=0, atol=1e-13)


def test_without_a_neighbour_the_fused_map_is_gemini_fusions_bit_by_bit():
    search, (camera, lidar) = build(reach_m=0.49), maps()
    fuser = GeminiFusion(channels=4, heads=2).double()
    assert search.offsets_yx == [(0, 0)]
    assert torch.equal(fuser(search(camera, lidar), lidar), fuser(camera, lidar))


@pytest.mark.parametrize('reach_m, k', [(0, 1), (0.5, 3), (0.99, 3), (1.0, 5)])
def test_the_reach_is_in_metres(reach_m, k):
    assert len(Neighbourhood(channels=4, bev_grid=GRID, reach_m=reach_m).offsets_yx) == k * k


def test_a_constant_map_stays_what_it_is_to_the_edge():
    search, (_, lidar) = build(), maps()
    constant = torch.arange(4.0, dtype=torch.float64).view(1, 4, 1, 1).expand(2, 4, 4, 6)
    assert torch.allclose(search(constant, lidar), constant, atol=1e-14)


def test_at_the_start_a_cell_reads_mostly_its_twin():
    search = Neighbourhood(channels=4, bev_grid=GRID, reach_m=0.5)
    for projection in (search.q_proj, search.k_proj):
        torch.nn.init.zeros_(projection.weight)
        torch.nn.init.zeros_(projection.bias)
    camera, share = torch.zeros(1, 4, 4, 6), 1 / (1 + 8 * math.exp(-3))
    camera[..., 2, 3] = 1.0
    read = search(camera, camera)
    assert read[0, 0, 2, 3].item() == pytest.approx(share)
    assert read[0, 0, 1, 4].item() == pytest.approx((1 - share) / 8)
    assert not read[0, 0, 0].any() and not read[0, 0, :, 0].any()


def test_gradients_reach_every_parameter_and_both_maps():
    search, leaves = build(), [one.requires_grad_() for one in maps()]
    search(*leaves).square().sum().backward()
    assert all(leaf.grad.abs().max() > 0 for leaf in (*leaves, *search.parameters()))


def test_it_learns_that_the_camera_stands_one_cell_beside():
    grid = BEVGrid(range_m=(-6.0, -4.0, -3.0, 6.0, 4.0, 3.0), cell_m=0.5)
    torch.manual_seed(0)
    search = Neighbourhood(channels=4, bev_grid=grid, reach_m=0.5, heads=1)
    optimiser, losses = torch.optim.Adam(search.parameters(), lr=0.05), []
    for _ in range(60):
        lidar = torch.randn(1, 4, 16, 24)
        camera = lidar.roll(1, dims=3)  # every object appears one column further right
        loss = (search(camera, lidar) - lidar)[..., 2:-2].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    assert search.offsets_yx[search.bias[:, 0].argmax().item()] == (0, 1)


def test_half_precision_stays_close():
    search, (camera, lidar) = build().float(), (one.float() for one in maps())
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        half = search(camera, lidar)
    assert torch.allclose(half.float(), search(camera, lidar), atol=0.06)


def test_it_is_built_from_a_config_and_refuses_what_it_cannot_do():
    built = MODELS.build(dict(type='GeminiNeighbourhood', channels=8, bev_grid=GRID, reach_m=0.5))
    assert isinstance(built, Neighbourhood)
    for wrong in (dict(reach_m=-0.5), dict(reach_m=0.5, heads=3)):
        with pytest.raises(ValueError, match='heads that divide the channels'):
            Neighbourhood(channels=4, bev_grid=GRID, **wrong)
