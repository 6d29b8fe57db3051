"""The order in which a splat sums: which (pixel, depth bin) pairs fall into which cell.

A plan depends on the cells alone, so that what stays where it is (cameras that are bolted on) needs one
plan for good.

Pairs are numbered (G, D, H): G columns of pixels, D depth bins, H pixels of a column. At one depth the
pixels of an upright column stand above each other, nearly always in the same cell: pairs come in runs of
one cell, and a run is sorted as one.
"""
from typing import NamedTuple, Sequence, Tuple

import torch
from jaxtyping import Int
from torch import Tensor

Order = Tuple[Int[Tensor, ' k'], Int[Tensor, ' k'], Int[Tensor, ' n_cells_plus_1']]


class SplatPlan(NamedTuple):
    """The pairs sorted by cell, in the smallest integers that hold them.

    Attributes:
        pair: (K,) number of each pair; first what lies outside every cell, then cell after cell, inside a
            cell in ascending order.
        pixel: (K,) number of each pair's pixel, column * H + place in the column.
        offsets: (n_cells + 1,) where the pairs of each cell begin in `pair`, and where the last ends.
        shape: G, D, H.
    """

    pair: Int[Tensor, ' k']
    pixel: Int[Tensor, ' k']
    offsets: Int[Tensor, ' n_cells+1']
    shape: Tuple[int, int, int]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.offsets) - 1

    def without_outside(self) -> 'SplatPlan':
        """Drops the pairs outside every cell; asks the device how many those are."""
        first = int(self.offsets[0])
        if first == 0:
            return self
        return SplatPlan(self.pair[first:], self.pixel[first:], self.offsets - first, self.shape)

    def cells(self) -> Int[Tensor, 'g d h']:
        """Returns the (G, D, H) cells from which the plan was made, -1 outside."""
        # Outside comes before the first cell.
        sizes = torch.cat([self.offsets[:1], self.offsets.diff()])
        sorted_cells = torch.arange(-1, self.n_cells, device=sizes.device, dtype=self.pair.dtype
                                    ).repeat_interleave(sizes, output_size=len(self.pair))
        return sorted_cells.new_full(self.shape, -1).view(-1).scatter_(
            0, self.pair.long(), sorted_cells).view(self.shape)


@torch.no_grad()
def plan_splat(cells: Int[Tensor, '*columns d h'], n_cells: int) -> SplatPlan:
    """Sorts the pairs by cell; does not wait for a GPU.

    Args:
        cells: (..., D, H) integer flat cell of each pair, -1 for a pair outside every cell; all leading
            dimensions together count columns.
        n_cells: number of cells.
    """
    # Half as wide integers are sorted and read in half the time.
    dtype = _smallest_index(max(cells.numel(), n_cells))
    cells = cells.to(dtype, memory_format=torch.contiguous_format).flatten(0, -3)
    columns, depths, height = cells.shape
    order = order_by_runs if cells.device.type == 'cpu' else order_by_sort
    return SplatPlan(*order(cells, n_cells), (columns, depths, height))


def order_by_sort(cells: Int[Tensor, 'g d h'], n_cells: int) -> Order:
    """Returns the pairs in the order of their cells, their pixels, and where each cell begins.

    Args:
        cells: (G, D, H) cell of each pair, -1 outside; its dtype is that of the result.
        n_cells: number of cells.
    """
    _, depths, height = cells.shape
    # A stable sort keeps the order of summation, so that a run repeats to the last bit.
    sorted_cells, pair = cells.flatten().sort(stable=True)
    pair = pair.to(cells.dtype)
    pixel = pair // (depths * height) * height + pair % height
    every_cell = torch.arange(n_cells + 1, device=cells.device, dtype=cells.dtype)
    return pair, pixel, torch.searchsorted(sorted_cells, every_cell).to(cells.dtype)


def order_by_runs(cells: Int[Tensor, 'g d h'], n_cells: int) -> Order:
    """Returns the same as order_by_sort, in less time where neighbours share their cell.

    Has to know how many runs there are, for which a GPU would have to be waited for.

    Args:
        cells: (G, D, H) cell of each pair, -1 outside; contiguous.
        n_cells: number of cells.
    """
    _, depths, height = cells.shape
    # 1. A run begins where the cell changes, and where a column does.
    is_first = torch.ones_like(cells, dtype=torch.bool)
    torch.ne(cells[..., 1:], cells[..., :-1], out=is_first[..., 1:])
    begin = is_first.flatten().nonzero().squeeze(1)
    length = torch.cat([begin[1:], begin.new_tensor([cells.numel()])]) - begin
    # 2. Runs are sorted by cell.
    cell = cells.flatten().index_select(0, begin)
    offsets = begin.new_zeros(n_cells + 1).index_add_(0, cell + 1, length).cumsum(0)
    order = cell.argsort(stable=True)
    begin, length = begin.index_select(0, order), length.index_select(0, order)
    # 3. A run's pairs, and their pixels, follow each other before and after: one shift moves all of them.
    target = length.cumsum(0) - length
    first_pixel = begin // (depths * height) * height + begin % height
    run = torch.repeat_interleave(length.to(cells.dtype), output_size=cells.numel())
    place = torch.arange(cells.numel(), dtype=cells.dtype)
    pair, pixel = ((first - target).to(cells.dtype).index_select(0, run).add_(place)
                   for first in (begin, first_pixel))
    return pair, pixel, offsets.to(cells.dtype)


@torch.no_grad()
def join_plans(plans: Sequence[SplatPlan]) -> SplatPlan:
    """Puts the plans of the samples of a batch together: columns and cells of a sample follow those of the
    sample before.

    Args:
        plans: of equal shapes and numbers of cells, without pairs outside.
    """
    if len(plans) == 1:
        return plans[0]
    (columns, depths, height), n_cells = plans[0].shape, plans[0].n_cells
    pairs, pixels = columns * depths * height, columns * height
    dtype = _smallest_index(len(plans) * max(pairs, n_cells))
    begin = [0]
    for plan in plans:
        begin.append(begin[-1] + len(plan.pair))
    offsets = [plan.offsets[:-1].to(dtype) + first for plan, first in zip(plans, begin)]
    return SplatPlan(
        torch.cat([plan.pair.to(dtype) + sample * pairs for sample, plan in enumerate(plans)]),
        torch.cat([plan.pixel.to(dtype) + sample * pixels for sample, plan in enumerate(plans)]),
        torch.cat([*offsets, offsets[0].new_tensor(begin[-1:])]), (len(plans) * columns, depths, height))


def _smallest_index(count: int) -> torch.dtype:
    return torch.int32 if count < 2 ** 31 else torch.int64
