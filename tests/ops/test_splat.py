"""Splat against a loop over pairs, with gradients, and what falls outside."""
import torch

from geminifusion3d.ops.splat import splat


def splat_by_loop(features, weights, cell_index, n_cells):
    """The definition, pair by pair."""
    bev = [torch.zeros(features.shape[1], dtype=features.dtype) for _ in range(n_cells)]
    for pixel, cells in enumerate(cell_index.tolist()):
        for depth, cell in enumerate(cells):
            if cell >= 0:
                bev[cell] = bev[cell] + weights[pixel, depth] * features[pixel]
    return torch.stack(bev)


def random_case(seed=0):
    """Returns 7 pixels of 3 channels with 5 depths over 6 cells, cell 4 empty, some pairs outside."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(7, 3, generator=generator)
    weights = torch.rand(7, 5, generator=generator)
    cells = torch.randint(-1, 6, (7, 5), generator=generator)
    cells[cells == 4] = 3
    return features, weights, cells


def test_it_equals_the_loop():
    features, weights, cells = random_case()
    expected = splat_by_loop(features, weights, cells, 6)
    assert torch.allclose(splat(features, weights, cells, 6), expected, atol=1e-6)
    assert (expected[4] == 0).all()


def test_its_gradients_equal_the_loops():
    leaves = [tensor.requires_grad_() for tensor in random_case()[:2]]
    cells, upstream = random_case()[2], torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad((splat(*leaves, cells, 6) * upstream).sum(), leaves)
    loop = torch.autograd.grad((splat_by_loop(*leaves, cells, 6) * upstream).sum(), leaves)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, loop))


def test_nothing_inside_gives_zeros():
    features, weights, cells = random_case()
    assert (splat(features, weights, torch.full_like(cells, -1), 6) == 0).all()


def test_half_precision_keeps_its_dtype_and_sums_in_float32():
    # 4096 ones: a float16 running sum stops growing at 2048.
    features, weights = torch.ones(4096, 1, dtype=torch.float16), torch.ones(4096, 1)
    total = splat(features, weights, torch.zeros(4096, 1, dtype=torch.long), 1)
    assert total.dtype == torch.float16 and total.item() == 4096
