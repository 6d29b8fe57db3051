"""Plans: by hand, runs against a plain sort, there and back, samples joined, integers wide enough."""
import pytest
import torch

from geminifusion3d.ops import splat_plan
from geminifusion3d.ops.splat_plan import join_plans, order_by_runs, order_by_sort, plan_splat

# Two columns, two depths, three rows: pairs 0..11; pair 4 is column 0, depth 1, row 1.
CELLS = torch.tensor([[[2, 2, -1], [0, 2, 2]], [[-1, 0, 0], [3, 3, 3]]])


def random_cells(seed, shape=(5, 7, 4), n_cells=6):
    """Returns cells in short runs, some of them outside."""
    generator = torch.Generator().manual_seed(seed)
    changes = torch.rand(shape, generator=generator) < 0.4
    cells = torch.randint(-1, n_cells, shape, generator=generator)
    return cells.flatten()[changes.flatten().cumsum(0).sub(1).clamp(min=0)].view(shape)


def test_pairs_stand_cell_after_cell_in_ascending_order():
    plan = plan_splat(CELLS, 5)
    assert plan.pair.tolist() == [2, 6, 3, 7, 8, 0, 1, 4, 5, 9, 10, 11]
    # Pixel = column * 3 + row.
    assert plan.pixel.tolist() == [2, 3, 0, 4, 5, 0, 1, 1, 2, 3, 4, 5]
    # Two pairs outside; cells 1 and 4 are empty.
    assert plan.offsets.tolist() == [2, 5, 5, 9, 12, 12]
    assert plan.shape == (2, 2, 3) and plan.n_cells == 5
    assert {tensor.dtype for tensor in plan[:3]} == {torch.int32}


def test_dropping_what_lies_outside_leaves_the_rest():
    plan = plan_splat(CELLS, 5).without_outside()
    assert plan.pair.tolist() == [3, 7, 8, 0, 1, 4, 5, 9, 10, 11]
    assert plan.offsets.tolist() == [0, 3, 3, 7, 10, 10]
    assert plan.without_outside() is plan


@pytest.mark.parametrize('shape', [(5, 7, 4), (1, 1, 1), (3, 1, 5), (4, 6, 1)])
def test_sorting_runs_and_sorting_pairs_give_the_same(shape):
    for seed in range(5):
        cells = random_cells(seed, shape).int()
        assert all(torch.equal(a, b) for a, b in zip(order_by_runs(cells, 6), order_by_sort(cells, 6)))


def test_the_cells_are_found_again():
    for cells in (CELLS, random_cells(0), torch.full((2, 3, 4), -1)):
        plan = plan_splat(cells, 6)
        assert torch.equal(plan.cells(), cells.int())
        assert torch.equal(plan.without_outside().cells(), cells.int())


def test_joined_plans_are_the_plan_of_the_batch():
    samples = [random_cells(seed) for seed in range(3)]
    whole = plan_splat(torch.cat([torch.where(cells >= 0, cells + 6 * sample, -1)
                                  for sample, cells in enumerate(samples)]), 18).without_outside()
    joined = join_plans([plan_splat(cells, 6).without_outside() for cells in samples])
    assert joined.shape == whole.shape == (15, 7, 4)
    assert all(torch.equal(a, b) for a, b in zip(joined[:3], whole[:3]))


def test_more_pairs_than_int32_counts_take_wider_integers(monkeypatch):
    assert splat_plan._smallest_index(2 ** 31 - 1) == torch.int32
    assert splat_plan._smallest_index(2 ** 31) == torch.int64
    narrow = plan_splat(CELLS, 5)
    monkeypatch.setattr(splat_plan, '_smallest_index', lambda count: torch.int64)
    wide = plan_splat(CELLS, 5)
    assert wide.pair.dtype == wide.offsets.dtype == torch.int64
    assert all(torch.equal(a, b.int()) for a, b in zip(narrow[:3], wide[:3]))
