"""The order in which a splat sums: which (pixel, depth bin) pairs fall into which cell.

A plan depends on the cells alone, so that what stays where it is (cameras that are bolted on) needs one
plan for good.
"""
from typing import NamedTuple, Sequence, Tuple

import torch
from torch import Tensor


class SplatPlan(NamedTuple):
    """The pairs sorted by cell, in the smallest integers that hold them.

    Attributes:
        pair: (K,) which entry of the flattened (P, D) weights; first what lies outside every cell, then
            cell after cell, inside a cell in the order of the pairs.
        pixel: (K,) row of the features of each.
        offsets: (n_cells + 1,) where the pairs of each cell begin in `pair`, and where the last ends.
        shape: (P, D), pixels and depth bins.
    """

    pair: Tensor
    pixel: Tensor
    offsets: Tensor
    shape: Tuple[int, int]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.offsets) - 1

    def without_outside(self) -> 'SplatPlan':
        """Drops the pairs outside every cell; asks the device how many those are."""
        first = int(self.offsets[0])
        if first == 0:
            return self
        return SplatPlan(self.pair[first:].clone(), self.pixel[first:].clone(), self.offsets - first,
                         self.shape)

    def cell_of_pair(self) -> Tensor:
        """Returns the (P * D,) cells from which the plan was made, -1 outside."""
        # Outside comes before the first cell.
        ends = torch.cat([self.offsets[:1], self.offsets.diff()])
        cells = torch.arange(-1, self.n_cells, device=ends.device, dtype=self.pair.dtype)
        in_order = cells.repeat_interleave(ends, output_size=len(self.pair))
        every_pair = in_order.new_full((self.shape[0] * self.shape[1],), -1)
        return every_pair.scatter_(0, self.pair.long(), in_order)


@torch.no_grad()
def plan_splat(cell_index: Tensor, n_cells: int) -> SplatPlan:
    """Sorts the pairs by cell; never waits for the device.

    Args:
        cell_index: (P, D) integer flat cell of each pair, -1 for a pair outside every cell.
        n_cells: number of cells.
    """
    dtype = _smallest_index(max(cell_index.numel(), n_cells))
    # A stable sort keeps the order of summation, so that a run repeats to the last bit. What lies
    # outside, -1, comes first. Half as wide integers are sorted in half the time.
    cells, pair = cell_index.flatten().to(dtype).sort(stable=True)
    offsets = torch.searchsorted(cells, torch.arange(n_cells + 1, device=cells.device, dtype=dtype),
                                 out_int32=dtype == torch.int32)
    pair = pair.to(dtype)
    return SplatPlan(pair, pair // cell_index.shape[1], offsets, tuple(cell_index.shape))


@torch.no_grad()
def join_plans(plans: Sequence[SplatPlan]) -> SplatPlan:
    """Puts the plans of the samples of a batch together: pixels and cells of a sample follow its
    predecessor's.

    Args:
        plans: of equally many pixels, depth bins and cells, without pairs outside.
    """
    if len(plans) == 1:
        return plans[0]
    (pixels, depths), n_cells = plans[0].shape, plans[0].n_cells
    dtype = _smallest_index(len(plans) * max(pixels * depths, n_cells))
    pairs = [plan.pair.to(dtype) + b * pixels * depths for b, plan in enumerate(plans)]
    rows = [plan.pixel.to(dtype) + b * pixels for b, plan in enumerate(plans)]
    first = [0]
    for plan in plans:
        first.append(first[-1] + len(plan.pair))
    starts = [plan.offsets[:-1].to(dtype) + begin for plan, begin in zip(plans, first)]
    end = plans[-1].offsets[-1:].to(dtype) + first[-2]
    return SplatPlan(torch.cat(pairs), torch.cat(rows), torch.cat([*starts, end]),
                     (len(plans) * pixels, depths))


def _smallest_index(count: int) -> torch.dtype:
    return torch.int32 if count < 2 ** 31 else torch.int64
