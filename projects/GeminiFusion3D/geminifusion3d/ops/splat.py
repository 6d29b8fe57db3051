"""Sums weighted pixel features into BEV cells without materialising the frustum.

bev[cell] = sum over the (pixel, depth bin) pairs in that cell of weight[pixel, bin] * feature[pixel],
which is a weighted embedding bag once the pairs are sorted by cell.
"""
from torch import Tensor
from torch.nn import functional as F


def splat(features: Tensor, weights: Tensor, cell_index: Tensor, n_cells: int) -> Tensor:
    """Pools lifted pixels into cells; differentiable in features and weights.

    Args:
        features: (P, C) one row a pixel.
        weights: (P, D) how much of a pixel stands at each of its D depths.
        cell_index: (P, D) int64 flat cell of each pair, -1 for a pair outside every cell.
        n_cells: number of cells.

    Returns:
        (n_cells, C) sums; cells that nothing falls into are zero.
    """
    flat_cell = cell_index.flatten()
    pair = (flat_cell >= 0).nonzero().squeeze(1)
    cell = flat_cell[pair]
    # A stable sort keeps the order of summation, so that a run repeats to the last bit.
    cell, order = cell.sort(stable=True)
    pair = pair[order]
    counts = cell.bincount(minlength=n_cells)
    offsets = counts.cumsum(0) - counts
    # Half precision sums of thousands of pairs lose what float32 keeps.
    return F.embedding_bag(
        pair // cell_index.shape[1], features.float(), offsets, mode='sum',
        per_sample_weights=weights.float().flatten()[pair]).to(features.dtype)
