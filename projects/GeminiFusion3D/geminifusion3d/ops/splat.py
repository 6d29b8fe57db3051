"""Sums weighted pixel features into BEV cells without materialising the frustum.

bev[cell] = sum over the (pixel, depth bin) pairs in that cell of weight[pixel, bin] * feature[pixel],
which is a weighted embedding bag once the pairs are sorted by cell. Backwards the same pairs are taken pixel
by pixel: the gradient of the features is a weighted embedding bag over the cells' gradients, that of a
weight the product of its cell's gradient and its pixel's feature. Largest are thus vectors with one number
a pair, never one feature a pair.
"""
import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Optional, Tuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from .splat_plan import SplatPlan


def splat(features: Float[Tensor, 'g h c'], weights: Float[Tensor, 'g_weights d h_weights'], plan: SplatPlan
          ) -> Float[Tensor, 'n_cells c']:
    """Pools lifted pixels into cells; differentiable in features and weights.

    Args:
        features: (G, H, C) of G columns of H pixels.
        weights: (G, D, H) how much of a pixel stands at each of its D depths.
        plan: of plan_splat, on the device of the features.

    Returns:
        (n_cells, C) sums; cells that nothing falls into are zero.

    Raises:
        ValueError: if the plan is one of other shapes.
    """
    columns, height, _ = features.shape
    if not plan.shape == tuple(weights.shape) == (columns, plan.shape[1], height):
        raise ValueError(f'the plan of a splat is for (columns, depth bins, rows) {plan.shape}, got weights '
                         f'of {tuple(weights.shape)} and features (columns, rows, channels) of '
                         f'{tuple(features.shape)}; make a plan from the cells of these pixels')
    # Half precision sums of thousands of pairs lose what float32 keeps.
    dtype = torch.promote_types(features.dtype, torch.float32)
    bev = _Splat.apply(features.to(dtype).flatten(0, 1).contiguous(), weights.to(dtype).contiguous(), plan)
    return bev.to(features.dtype)


class _Splat(torch.autograd.Function):
    """The weighted embedding bag of the pairs in cells, and the transposed one."""

    @staticmethod
    def forward(ctx: Any, features: Float[Tensor, 'p c'], weights: Float[Tensor, 'g d h'], plan: SplatPlan
                ) -> Float[Tensor, 'n_cells c']:
        """Returns the (n_cells, C) sums of (G * H, C) features."""
        ctx.save_for_backward(features, weights)
        ctx.plan = plan
        if runs_triton(features):
            from .splat_triton import splat_forward
            return splat_forward(features, weights, plan)
        plan = plan.without_outside()
        return F.embedding_bag(
            plan.pixel, features, plan.offsets, mode='sum', include_last_offset=True,
            per_sample_weights=weights.view(-1).index_select(0, plan.pair))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, bev_gradient: Float[Tensor, 'n_cells c']
                 ) -> Tuple[Optional[Float[Tensor, 'p c']], Optional[Float[Tensor, 'g d h']], None]:
        """Returns the gradients of features and weights."""
        (features, weights), gradient = ctx.saved_tensors, bev_gradient.contiguous()
        if runs_triton(features):
            from .splat_triton import splat_backward
            return (*splat_backward(features, weights, gradient, ctx.plan.cells()), None)
        return (*_backward_by_bags(features, weights, gradient, ctx.plan, ctx.needs_input_grad), None)


def _backward_by_bags(features: Float[Tensor, 'p c'], weights: Float[Tensor, 'g d h'],
                      gradient: Float[Tensor, 'n_cells c'], plan: SplatPlan, is_wanted: Tuple[bool, ...]
                      ) -> Tuple[Optional[Float[Tensor, 'p c']], Optional[Float[Tensor, 'g d h']]]:
    """Returns the gradients of features and weights, where they are wanted.

    Args:
        features: (P, C), P = G * H.
        weights: (G, D, H).
        gradient: (n_cells, C) of the sums.
        plan: the plan of the forward pass.
        is_wanted: for features and weights.
    """
    # Pixel after pixel, the pixels of a column one after the other: they read the same cells' gradients.
    cells = plan.cells().transpose(1, 2).reshape(len(features), -1)
    is_inside = cells >= 0
    pair = is_inside.view(-1).nonzero().squeeze(1)
    cell = cells.view(-1).index_select(0, pair)
    count = is_inside.sum(1)
    offsets = (count.cumsum(0) - count).to(cell.dtype)
    feature_gradient = weight_gradient = None
    if is_wanted[0]:
        by_pixel = weights.transpose(1, 2).reshape(-1).index_select(0, pair)
        feature_gradient = F.embedding_bag(cell, gradient, offsets, mode='sum', per_sample_weights=by_pixel)
    if is_wanted[1]:
        pixel = torch.arange(len(features), device=cell.device, dtype=cell.dtype).repeat_interleave(
            count, output_size=len(pair))
        # In the transposed bag the features are what the gradients of the sums are in the bag itself.
        products = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            features, gradient, cell, offsets, pixel, 0)
        by_pixel = products.new_zeros(cells.numel()).index_copy_(0, pair, products)
        weight_gradient = by_pixel.view(-1, weights.shape[2], weights.shape[1]).transpose(1, 2)
    return feature_gradient, weight_gradient


def runs_triton(tensor: Shaped[Tensor, '...']) -> bool:
    """Whether kernels are to work on this tensor."""
    return (tensor.is_cuda or _is_interpreted()) and _is_installed()


@lru_cache(maxsize=None)
def _is_installed() -> bool:
    return find_spec('triton') is not None


@lru_cache(maxsize=None)
def _is_interpreted() -> bool:
    # Triton reads the variable when it is imported, so that a later change means nothing.
    return os.environ.get('TRITON_INTERPRET') == '1'
