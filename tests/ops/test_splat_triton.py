"""The splat's Triton kernels, in Triton's interpreter: the same sums and gradients as the bags'."""
import subprocess
import sys

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


CROWDED = '''
import torch
from geminifusion3d.ops import splat as module
from geminifusion3d.ops.splat_plan import order_by_sort, plan_splat, SplatPlan
from geminifusion3d.ops.splat_triton import PART

torch.manual_seed(0)
columns, height, depths, channels, n_cells = 5, 7, 60, 3, 11
assert columns * depths * height > 3 * PART
for crowded in ((0, ), (10, ), (4, 5), ()):
    cells = torch.randint(-1, n_cells, (columns, depths, height), dtype=torch.int32)
    for place, cell in enumerate(crowded):
        cells[place::2] = cell
    # One cell with just as many pairs as a program adds, and one with one more.
    flat = cells.view(-1)
    flat[(flat == 7) | (flat == 8)] = 9
    flat[:PART], flat[PART:2 * PART + 1] = 7, 8
    # Whole numbers: their sums are exact in any order.
    features = torch.randint(-8, 9, (columns, height, channels)).float()
    weights = torch.randint(0, 9, (columns, depths, height)).float()
    plan = SplatPlan(*order_by_sort(cells, n_cells), tuple(cells.shape))
    found = module.splat(features, weights, plan)
    pairs = features[:, None] * weights.unsqueeze(-1)
    inside = cells >= 0
    scattered = torch.zeros(n_cells, channels).index_add(0, cells[inside].long(), pairs[inside])
    assert torch.equal(found, scattered), crowded
    assert torch.equal(found, module.splat(features, weights, plan))
print('equal')
'''


def test_cells_of_many_pairs_are_split_and_equal_the_plain_scatter():
    assert run_interpreted(CROWDED).strip() == 'equal'


def test_without_a_gpu_and_the_interpreter_no_kernel_runs():
    from geminifusion3d.ops.splat import runs_triton
    assert not runs_triton(torch.zeros(1))


COMPILED = '''
import triton
from triton.backends.compiler import GPUTarget
from geminifusion3d.ops import splat_triton

floats = ('features', 'weights', 'sums')
whole = ('pair', 'pixel', 'offsets', 'cell_of_extra', 'extra_ends')
for index in ('i32', 'i64'):
    types = {**dict.fromkeys(floats, '*fp32'), **dict.fromkeys(whole[:3], '*' + index),
             **dict.fromkeys(whole[3:], '*i64'), 'n_cells': 'i32'}
    for channels in (80, 84):
        sizes = dict(n_channels=channels, PAIRS=splat_triton.PAIRS, PART=splat_triton.PART, CHANNELS=128)
        for kernel in (splat_triton._sum_parts, splat_triton._join_parts):
            signature = {name: types.get(name, 'constexpr') for name in kernel.arg_names}
            source = triton.compiler.ASTSource(kernel, signature=signature, constexprs={
                name: sizes[name] for name in kernel.arg_names if name in sizes})
            assert triton.compile(source, target=GPUTarget('cuda', 90, 32)).asm['cubin']
print('compiled')
'''


def test_the_kernels_compile_for_a_gpu_that_is_not_here():
    triton = pytest.importorskip('triton')
    if 'nvidia' not in triton.backends.backends:
        pytest.skip('this Triton compiles for other devices')
    # Elsewhere: the shapes that tests check stand between a kernel and the names of its module.
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', COMPILED], capture_output=True, text=True)
    assert done.stdout.strip() == 'compiled', done.stderr
