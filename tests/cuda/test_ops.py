"""The operators on a GPU against float64, and twice the same bits. Run there: pytest -m cuda."""
import copy

import pytest
import torch

from gemini_lab.benchmark.fusers import official_layer
from geminifusion3d.fusion.gemini_fusion import GeminiFusionLayer
from geminifusion3d.ops.splat import splat
from geminifusion3d.ops.splat_plan import plan_splat
from geminifusion3d.ops.voxel_groups import group_points, keep_first, mean_per_voxel

DEVICE = 'cuda'
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU')]


@pytest.fixture(autouse=True)
def one_seed():
    """Makes every test draw the same numbers, whichever run."""
    torch.manual_seed(0)


def error(found, exact):
    """Returns the relative error in the Frobenius norm."""
    return float((found.detach().double() - exact.detach()).norm() / exact.detach().norm())


def make_layer(channels):
    """Returns a layer of GeminiFusion whose parameters are all random."""
    layer = GeminiFusionLayer(channels=channels, heads=8).to(DEVICE)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7 / channels ** 0.5 if parameter.dim() == 2 else 0.3)
    return layer


def random_splat():
    """Returns features, weights and cells of 528 columns of 32 pixels with 59 depths; a third lies outside,
    a cell is crowded."""
    cells = (torch.randint(0, 8100, (528, 59, 1), device=DEVICE)
             + torch.randint(0, 2, (528, 59, 32), device=DEVICE))
    cells[torch.rand(528, 59, device=DEVICE) < 0.33] = -1
    cells[:, 0] = 4050
    return (torch.randn(528, 32, 80, device=DEVICE).requires_grad_(),
            torch.rand(528, 59, 32, device=DEVICE).softmax(1).requires_grad_(), cells)


def splat_with_gradients():
    """Returns the map of `random_splat`, its gradients, and what they were made of."""
    features, weights, cells = random_splat()
    bev = splat(features, weights, plan_splat(cells, 8101))
    upstream = torch.randn_like(bev)
    gradients = torch.autograd.grad(bev, (features, weights), upstream)
    return [bev, *gradients], (features, weights, cells, upstream)


def test_the_splat_and_its_gradients_are_exact_and_repeat():
    found, (features, weights, cells, upstream) = splat_with_gradients()
    wide = [leaf.detach().double().requires_grad_() for leaf in (features, weights)]
    column, _, row = torch.meshgrid(*map(torch.arange, cells.shape), indexing='ij')
    inside = cells >= 0
    pairs = wide[0][column.to(DEVICE)[inside], row.to(DEVICE)[inside]] * wide[1][inside][:, None]
    exact = torch.zeros(8101, 80, dtype=torch.float64, device=DEVICE).index_add(0, cells[inside], pairs)
    expected = [exact, *torch.autograd.grad(exact, wide, upstream.double())]
    assert max(map(error, found, expected)) < 1e-6
    torch.manual_seed(0)
    assert all(map(torch.equal, splat_with_gradients()[0], found))


@pytest.mark.parametrize('dtype, outputs, gradients', [
    (torch.float32, 1e-6, 1e-5), (torch.bfloat16, 0.01, 0.03), (torch.float16, 0.002, 0.005)])
@pytest.mark.parametrize('channels, cells', [(128, 1), (128, 4097), (256, 4097)])
def test_fusion_and_its_gradients_are_exact_and_repeat(dtype, outputs, gradients, channels, cells):
    layer = make_layer(channels)
    maps = [torch.randn(cells, channels, device=DEVICE).requires_grad_() for _ in range(2)]
    upstream = [torch.randn(cells, channels, device=DEVICE) for _ in range(2)]

    def run():
        with torch.autocast(DEVICE, dtype=dtype, enabled=dtype != torch.float32):
            found = layer(*maps)
        given = [one.to(two.dtype) for one, two in zip(upstream, found)]
        return [*found, *torch.autograd.grad(found, [*maps, *layer.parameters()], given)]
    found, again = run(), run()
    wide_layer, wide = copy.deepcopy(layer).double(), [one.detach().double().requires_grad_() for one in maps]
    exact = official_layer(wide_layer, *wide)
    of_exact = torch.autograd.grad(exact, [*wide, *wide_layer.parameters()],
                                   [one.double() for one in upstream])
    assert max(map(error, found[:2], exact)) < outputs
    assert max(map(error, found[2:], of_exact)) < gradients
    assert all(map(torch.equal, found, again))


def test_voxels_are_those_of_a_cpu():
    clouds = [torch.randn(n, 5) * torch.tensor([20., 20, 1.5, 1, 1]) for n in (30000, 1, 20000)]
    grid = (-54.0, -54.0, -5.0, 54.0, 54.0, 3.0), (0.075, 0.075, 0.2), (1440, 1440, 40)
    here = group_points(clouds, *grid)
    there = group_points([cloud.to(DEVICE) for cloud in clouds], *grid)
    assert torch.equal(there.voxel_of_point.cpu(), here.voxel_of_point)
    points = here.points.double()
    sums = torch.zeros(int(here.voxel_of_point.max()) + 1, 5, dtype=torch.float64)
    counts = torch.bincount(here.voxel_of_point)[:, None]
    exact = sums.index_add(0, here.voxel_of_point, points) / counts
    means = mean_per_voxel(there.points, there)
    assert error(means.cpu(), exact) < 1e-6
    assert torch.equal(mean_per_voxel(there.points, there), means)
    for ours, theirs in zip(keep_first(there, 10, 20000), keep_first(here, 10, 20000)):
        assert torch.equal(ours.cpu(), theirs)
