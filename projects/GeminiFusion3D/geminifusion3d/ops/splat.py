"""Sums weighted pixel features into BEV cells without materialising the frustum.

bev[cell] = sum over the (pixel, depth bin) pairs in that cell of weight[pixel, bin] * feature[pixel],
which is a weighted embedding bag once the pairs are sorted by cell. Backwards the same pairs are sorted by
pixel: the gradient of the features is a weighted embedding bag over the cells' gradients, that of a
weight the product of its cell's gradient and its pixel's feature. Largest are thus vectors with one number
a pair, never one feature a pair.
"""
from typing import Any, Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .splat_plan import SplatPlan, plan_splat
from .triton_here import runs_triton


def splat(features: Tensor, weights: Tensor, cell_index: Tensor, n_cells: int) -> Tensor:
    """Pools lifted pixels into cells; differentiable in features and weights.

    Args:
        features: (P, C) one row a pixel.
        weights: (P, D) how much of a pixel stands at each of its D depths.
        cell_index: (P, D) integer flat cell of each pair, -1 for a pair outside every cell.
        n_cells: number of cells.

    Returns:
        (n_cells, C) sums; cells that nothing falls into are zero.
    """
    return splat_by_plan(features, weights, plan_splat(cell_index, n_cells))


def splat_by_plan(features: Tensor, weights: Tensor, plan: SplatPlan) -> Tensor:
    """Pools lifted pixels into cells in an order that is known; see splat.

    Args:
        features: (P, C) one row a pixel.
        weights: (P, D) how much of a pixel stands at each of its D depths.
        plan: of plan_splat, on the device of the features.

    Raises:
        ValueError: if the plan is one of another number of pixels or depth bins.
    """
    if (len(features), weights.shape[1]) != plan.shape or len(weights) != len(features):
        raise ValueError(f'the plan of a splat is for (pixels, depth bins) {plan.shape}, got features of '
                         f'{tuple(features.shape)} and weights of {tuple(weights.shape)}; make a plan '
                         'from the cells of these pixels')
    # Half precision sums of thousands of pairs lose what float32 keeps.
    dtype = torch.promote_types(features.dtype, torch.float32)
    bev = _Splat.apply(features.to(dtype).contiguous(), weights.to(dtype).contiguous(), plan)
    return bev.to(features.dtype)


class _Splat(torch.autograd.Function):
    """The weighted embedding bag of the pairs in cells, and the transposed one."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor, plan: SplatPlan) -> Tensor:
        """Returns the (n_cells, C) sums."""
        ctx.save_for_backward(features, weights)
        ctx.plan = plan
        if runs_triton(features):
            from .splat_triton import splat_forward
            return splat_forward(features, weights, plan)
        plan = plan.without_outside()
        return F.embedding_bag(
            plan.pixel, features, plan.offsets, mode='sum', include_last_offset=True,
            per_sample_weights=weights.flatten().index_select(0, plan.pair))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, bev_gradient: Tensor) -> Tuple[Optional[Tensor], Optional[Tensor], None]:
        """Returns the gradients of features and weights."""
        (features, weights), cells = ctx.saved_tensors, ctx.plan.cell_of_pair()
        gradient = bev_gradient.contiguous()
        if runs_triton(features):
            from .splat_triton import splat_backward
            return (*splat_backward(features, weights, gradient, cells), None)
        return (*_backward_by_bags(features, weights, gradient, cells, ctx.needs_input_grad), None)


def _backward_by_bags(features: Tensor, weights: Tensor, gradient: Tensor, cells: Tensor,
                      is_wanted: Tuple[bool, ...]) -> Tuple[Optional[Tensor], Optional[Tensor]]:
    """Returns the gradients of features and weights, pixel after pixel.

    Args:
        features: (P, C).
        weights: (P, D).
        gradient: (n_cells, C) of the sums.
        cells: (P * D,) cell of each pair, -1 outside.
        is_wanted: for features and weights, whether the gradient is.
    """
    is_inside = cells >= 0
    pair = is_inside.nonzero().squeeze(1)
    cell = cells.index_select(0, pair)
    count = is_inside.view(weights.shape).sum(1)
    offsets = (count.cumsum(0) - count).to(cell.dtype)
    feature_gradient = weight_gradient = None
    if is_wanted[0]:
        feature_gradient = F.embedding_bag(cell, gradient, offsets, mode='sum',
                                           per_sample_weights=weights.flatten().index_select(0, pair))
    if is_wanted[1]:
        pixel = (pair // weights.shape[1]).to(cell.dtype)
        # In the transposed bag the features are what the gradients of the sums are in the bag itself.
        products = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            features, gradient, cell, offsets, pixel, 0)
        weight_gradient = torch.zeros_like(weights).view(-1).index_copy_(0, pair, products).view_as(weights)
    return feature_gradient, weight_gradient
