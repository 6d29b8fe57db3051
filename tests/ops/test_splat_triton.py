"""The splat's Triton kernels, in Triton's interpreter: the same sums and gradients as the bags'."""
import pytest
import torch
from interpreted_triton import run_interpreted

pytest.importorskip('triton', reason='Triton comes with a build of torch for GPUs; see requirements/')

COMPARED = '''
import torch
from geminifusion3d.ops import splat as module
from geminifusion3d.ops.splat_plan import order_by_sort, plan_splat, SplatPlan

def both(dtype, columns, height, depths, channels, n_cells):
    features = torch.randn(columns, height, channels, dtype=dtype).requires_grad_()
    weights = torch.rand(columns, depths, height, dtype=dtype).requires_grad_()
    cells = torch.randint(-1, n_cells, (columns, depths, height))
    cells[cells == n_cells - 1] = 0
    cells[1] = -1
    upstream = torch.randn(n_cells, channels, dtype=dtype)
    # As on a GPU: sorted pair by pair, what lies outside still in front.
    plan = SplatPlan(*order_by_sort(cells.int(), n_cells), tuple(cells.shape))
    results = []
    for is_triton in (True, False):
        module.runs_triton = lambda tensor: is_triton
        bev = module.splat(features, weights, plan)
        results.append((bev, *torch.autograd.grad(bev, (features, weights), upstream)))
    return zip(*results)

torch.manual_seed(0)
assert module.runs_triton(torch.zeros(1)), 'the interpreter is off'
for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-13)):
    # More pairs in a cell than a program reads at once; channels and depths that are no power of two.
    for shape in ((6, 5, 21, 13, 9), (3, 1, 5, 1, 2)):
        for kernel, bag in both(dtype, *shape):
            assert kernel.dtype == dtype and kernel.abs().sum() > 0
            torch.testing.assert_close(kernel, bag, rtol=tolerance, atol=tolerance)
print('compared')
'''


def test_kernels_and_bags_agree_in_sums_and_gradients():
    assert run_interpreted(COMPARED).strip() == 'compared'


def test_without_a_gpu_and_the_interpreter_no_kernel_runs():
    from geminifusion3d.ops.splat import runs_triton
    assert not runs_triton(torch.zeros(1))
