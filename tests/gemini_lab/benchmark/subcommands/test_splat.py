"""The splat's benchmark: contestants that sum the same, every mode measured, ratios where they belong."""
import pytest
import torch
from commands import benchmark_arguments

from gemini_lab.benchmark.rows import Row
from gemini_lab.benchmark.splatting import contestants, make_lifted
from gemini_lab.benchmark.subcommands import splat

CPU = torch.device('cpu')
NAMES = ['ours, plan kept', 'ours', 'materialise, index_add', 'materialise, index_add, spare row']


@pytest.fixture(scope='module')
def lifted():
    """Returns 6 x 8 x 22 pixels with 20 bins over 36 x 36 cells."""
    return make_lifted(depth_bins=20, stride=32, channels=5, cells=36, device=CPU)


def test_all_contestants_sum_the_same_and_give_the_same_gradients(lifted):
    both = [lifted.features.clone().requires_grad_(), lifted.weights.clone().requires_grad_()]
    results = []
    for pool, _ in contestants(lifted).values():
        bev = pool(*both)
        results.append((bev, *torch.autograd.grad(bev.square().sum(), both)))
    assert list(contestants(lifted)) == NAMES
    for result in results[1:]:
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(results[0], result))
    assert results[0][0].shape == (36 * 36, 5) and results[0][0].any()


def test_the_cameras_look_all_around_and_mostly_onto_the_grid(lifted):
    cells = lifted.cells
    assert cells.shape == (1, 6, 8 * 22, 20)
    assert 0.7 < (cells >= 0).float().mean() < 0.9
    assert torch.equal(lifted.lift(), cells)
    rows, columns = (cells[cells >= 0] // 36).unique(), (cells[cells >= 0] % 36).unique()
    assert len(rows) == len(columns) == 36
    # CAM_FRONT is the first: its pixels lie ahead of the car, in the upper half of y.
    front = cells[0, 0][cells[0, 0] >= 0] // 36
    assert (front >= 17).all()


def test_every_mode_is_measured_and_the_geometry_stands_apart():
    arguments = benchmark_arguments(['splat', '--depth-bins', '6', '--stride', '64', '--channels', '3',
                                     '--cells', '20', '--repeats', '1', '--warm-up', '0', '--device', 'cpu',
                                     '--quiet'])
    rows = splat.run(arguments)
    assert [(row.mode, row.name) for row in rows] == [
        *(('inference', name) for name in [*NAMES, splat.GEOMETRY, splat.FLOOR]),
        *(('forward and backward', name) for name in NAMES)]
    assert rows[0].shape == '6 x 6 x 4 x 11 x 3 into 20 x 20'
    pairs = rows[0].facts['pairs_inside']
    assert 0 < pairs <= 6 * 6 * 4 * 11
    assert rows[0].macs == 3 * pairs and rows[-1].macs == 9 * pairs
    assert all(row.excludes == 'finding the cells of the pairs' for row in rows if row.name in NAMES)


def test_the_table_compares_ours_with_both_references():
    times = dict(zip(NAMES, (1.0, 2.0, 20.0, 10.0)))
    rows = [Row(name=name, device='cpu', dtype='float32', shape='s', median_s=median_s, spread=0.0,
                peak_bytes=int(100 * median_s)) for name, median_s in times.items()]
    lines = splat.markdown(rows).splitlines()
    assert lines[0].startswith('s: cameras x depth bins')
    assert '20.0 × as fast, 5 % of the memory | 10.0 × as fast, 10 % of the memory' in lines[4]
    assert '10.0 × as fast, 10 % of the memory | 5.0 × as fast, 20 % of the memory' in lines[5]
    assert lines[6].endswith('|  |  |')
