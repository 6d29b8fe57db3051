"""Splat against a loop over pairs, with gradients; what falls outside; no frustum in memory."""
import pytest
import torch

from gemini_lab.benchmark.contest import peak_extra_bytes
from geminifusion3d.ops.splat import splat
from geminifusion3d.ops.splat_plan import plan_splat


def splat_by_loop(features, weights, cells, n_cells):
    """The definition, pair by pair."""
    bev = [torch.zeros(features.shape[2], dtype=features.dtype) for _ in range(n_cells)]
    for column, depths in enumerate(cells.tolist()):
        for depth, rows in enumerate(depths):
            for row, cell in enumerate(rows):
                if cell >= 0:
                    bev[cell] = bev[cell] + weights[column, depth, row] * features[column, row]
    return torch.stack(bev)


def random_case(seed=0, dtype=torch.float32):
    """Returns 4 columns of 3 pixels of 2 channels with 5 depths over 6 cells; cell 4 is empty, some pairs
    lie outside, and so do all pairs of one pixel."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(4, 3, 2, generator=generator, dtype=dtype)
    weights = torch.rand(4, 5, 3, generator=generator, dtype=dtype)
    cells = torch.randint(-1, 6, (4, 5, 3), generator=generator)
    cells[cells == 4] = 3
    cells[2, :, 1] = -1
    return features, weights, cells


def test_it_equals_the_loop():
    features, weights, cells = random_case()
    expected = splat_by_loop(features, weights, cells, 6)
    assert torch.allclose(splat(features, weights, plan_splat(cells, 6)), expected, atol=1e-6)
    assert (expected[4] == 0).all()


def test_its_gradients_equal_the_loops():
    leaves = [tensor.requires_grad_() for tensor in random_case()[:2]]
    cells, upstream = random_case()[2], torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((splat(*leaves, plan_splat(cells, 6)) * upstream).sum(), leaves)
    loop = torch.autograd.grad((splat_by_loop(*leaves, cells, 6) * upstream).sum(), leaves)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, loop))
    assert (ours[0][2, 1] == 0).all() and (ours[1][cells < 0] == 0).all()


@pytest.mark.parametrize('is_inside', [True, False])
def test_its_gradients_are_those_of_finite_differences(is_inside):
    features, weights, cells = random_case(2, torch.float64)
    plan = plan_splat(cells, 6)
    if is_inside:
        plan = plan.without_outside()
    both = [tensor.requires_grad_() for tensor in (features, weights)]
    assert torch.autograd.gradcheck(lambda *leaves: splat(*leaves, plan), both)
    # A model that learns only one of the two asks for one gradient.
    assert torch.autograd.gradcheck(lambda leaf: splat(leaf, weights.detach(), plan), both[0])
    assert torch.autograd.gradcheck(lambda leaf: splat(features.detach(), leaf, plan), both[1])


def test_nothing_inside_gives_zeros_and_gradients_of_zero():
    features, weights, cells = random_case()
    leaves = [features.requires_grad_(), weights.requires_grad_()]
    bev = splat(*leaves, plan_splat(torch.full_like(cells, -1), 6))
    assert (bev == 0).all()
    assert all((gradient == 0).all() for gradient in torch.autograd.grad(bev.sum(), leaves))


def test_what_is_not_finite_reaches_only_its_own_cell_and_pixel():
    features, weights, cells = random_case()
    cells[0, 0, 0], cells[1, 0, 0] = -1, 0
    weights[0, 0, 0] = float('nan')
    assert splat(features, weights, plan_splat(cells, 6)).isfinite().all()
    weights = random_case()[1].requires_grad_()
    upstream = torch.ones(6, 2)
    upstream[0] = float('nan')
    gradient, = torch.autograd.grad(splat(features, weights, plan_splat(cells, 6)), weights, upstream)
    assert (gradient.isnan() == (cells == 0)).all()


def test_a_run_repeats_to_the_last_bit():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 8, 16, generator=generator)
    weights = torch.rand(50, 40, 8, generator=generator)
    cells = torch.randint(-1, 30, (50, 40, 8), generator=generator)

    def run():
        leaves = [features.clone().requires_grad_(), weights.clone().requires_grad_()]
        bev = splat(*leaves, plan_splat(cells, 30))
        return (bev, *torch.autograd.grad(bev.square().sum(), leaves))

    assert all(torch.equal(a, b) for a, b in zip(run(), run()))


def test_half_precision_keeps_its_dtype_and_sums_in_float32():
    # 4096 ones: a float16 running sum stops growing at 2048.
    features, weights = torch.ones(4096, 1, 1, dtype=torch.float16), torch.ones(4096, 1, 1)
    features.requires_grad_()
    total = splat(features, weights, plan_splat(torch.zeros(4096, 1, 1, dtype=torch.long), 1))
    assert total.dtype == torch.float16 and total.item() == 4096
    assert torch.autograd.grad(total, features)[0].dtype == torch.float16


def peak_bytes(call):
    """Returns the most bytes that a call holds at once, once it has been called before."""
    call()
    return peak_extra_bytes(call, torch.device('cpu'))


def test_neither_way_holds_more_than_a_tenth_of_what_materialising_does():
    columns, height, depths, channels, n_cells = 40, 16, 59, 80, 600
    features = torch.randn(columns, height, channels).requires_grad_()
    weights = torch.rand(columns, depths, height).requires_grad_()
    # Upright cameras: the pixels of a column see the same cell at one depth.
    cells = torch.randint(0, n_cells, (columns, depths, 1)).expand(columns, depths, height).contiguous()

    def planned():
        return splat(features, weights, plan_splat(cells, n_cells))

    def materialised():
        frustum = weights.unsqueeze(3) * features.unsqueeze(1)
        return torch.zeros(n_cells, channels).index_add(0, cells.flatten(), frustum.flatten(0, 2))

    assert torch.allclose(planned(), materialised(), atol=1e-4)
    assert (peak_bytes(lambda: planned().sum().backward())
            <= 0.1 * peak_bytes(lambda: materialised().sum().backward()))
    with torch.no_grad():
        assert peak_bytes(planned) <= 0.1 * peak_bytes(materialised)


def test_a_plan_of_other_pixels_is_refused():
    features, weights, cells = random_case()
    with pytest.raises(ValueError, match=r'rows\) \(4, 4, 3\), got weights of \(4, 5, 3\)'):
        splat(features, weights, plan_splat(cells[:, 1:], 6))
    with pytest.raises(ValueError, match=r'channels\) of \(3, 3, 2\)'):
        splat(features[1:], weights, plan_splat(cells, 6))
