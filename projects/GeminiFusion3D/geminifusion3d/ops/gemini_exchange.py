"""GeminiFusion of one layer as a single operator of PyTorch, with a backward pass written by hand.

The operator is opaque to torch.compile, which neither breaks on it nor unrolls its blocks. What surrounds
it, folding constants into weights, is left to autograd.
"""
import itertools
import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .gemini_kept import empty_kept, kept_names, kept_size
from .gemini_passes import empty_map, is_channels_first, run_backward, run_forward
from .gemini_weights import (CAMERA, LIDAR, LayerWeights, ReaderWeights, RelationWeights, split_relation, weigh_results, with_residual)
from .weighted_sum import weighted_sum


def exchange(camera: Tensor, lidar: Tensor, relation: Optional[RelationWeights],
             readers: Dict[int, ReaderWeights], *, heads: int, dtype: torch.dtype,
             shares: Optional[Tensor] = None) -> List[Tensor]:
    """Returns the enriched map of each direction, or one map: their weighed sum.

    Args:
        camera: (..., C) any strides; the cheapest are channels-last, and channels-first for (B, Y, X, C).
        lidar: of the same shape.
        relation: weights as the module holds them (Wa, Wb), or None.
        readers: folded weights of each direction.
        heads: H.
        dtype: of the products, unless autocast sets another one. Results have the dtype of their map.
        shares: (2,), of camera and LiDAR in the sum of both directions' maps; None for a map each.

    Raises:
        RuntimeError: where it is differentiated twice.
    """
    device = camera.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    full = in_full_precision(device, dtype) and camera.dtype == lidar.dtype == dtype
    merged = full and shares is not None
    if full:
        relation, readers = _in_full_form(relation, readers, shares)
    cast = [[weight.to(dtype) for weight in group] for group in (
        relation or (), readers.get(CAMERA, ()), readers.get(LIDAR, ()))]
    keep = full and torch.is_grad_enabled() and any(
        one.requires_grad for one in (camera, lidar, *itertools.chain(*cast)))
    results = torch.ops.geminifusion3d.exchange(camera, lidar, *cast, heads, full, merged, keep)
    results = results[:1 if merged else len(readers)]
    return results if merged or shares is None else [weighted_sum(*results, shares)]


def in_full_precision(device: str, dtype: torch.dtype) -> bool:
    """Whether products are exact enough for residuals in them, and for sum and difference of the maps.

    Half precision and TF32 round a map, and a sum of two maps of unlike size more than either of them.

    Args:
        device: its type.
        dtype: of the products.
    """
    return device == 'cpu' and dtype in (torch.float32, torch.float64)


def _in_full_form(relation: Optional[RelationWeights], readers: Dict[int, ReaderWeights],
                  shares: Optional[Tensor]) -> Tuple[Optional[RelationWeights], Dict[int, ReaderWeights]]:
    """Returns the weights in the form that full precision allows: see LayerWeights."""
    if relation is not None and len(readers) == 2:
        first, second = split_relation(relation.first, relation.second)
        relation = relation._replace(first=first, second=second)
    readers = {modality: with_residual(reader) for modality, reader in readers.items()}
    return relation, readers if shares is None else weigh_results(readers, shares)


def _weights(relation: Sequence[Tensor], camera: Sequence[Tensor], lidar: Sequence[Tensor], heads: int,
             full: bool, merged: bool) -> LayerWeights:
    readers = {modality: ReaderWeights(*group)
               for modality, group in ((CAMERA, camera), (LIDAR, lidar)) if group}
    return LayerWeights(RelationWeights(*relation) if relation else None, readers, heads, full, merged)


@torch.library.custom_op('geminifusion3d::exchange', mutates_args=())
def _exchange(camera: Tensor, lidar: Tensor, relation: List[Tensor], camera_reader: List[Tensor],
              lidar_reader: List[Tensor], heads: int, full: bool, merged: bool, keep: bool) -> List[Tensor]:
    weights = _weights(relation, camera_reader, lidar_reader, heads, full, merged)
    kept = [empty_kept((camera, lidar), weights)] if keep and _can_keep(camera, lidar) else []
    with torch.autocast(camera.device.type, enabled=False):
        return run_forward((camera, lidar), weights, kept) + kept


@torch.library.custom_op('geminifusion3d::exchange_backward', mutates_args=())
def _exchange_backward(camera: Tensor, lidar: Tensor, gradients: List[Tensor], relation: List[Tensor],
                       camera_reader: List[Tensor], lidar_reader: List[Tensor], heads: int, full: bool,
                       merged: bool, kept: List[Tensor]) -> List[Tensor]:
    weights = _weights(relation, camera_reader, lidar_reader, heads, full, merged)
    with torch.autocast(camera.device.type, enabled=False):
        of_maps, of_weights = run_backward((camera, lidar), gradients, weights, kept)
    return of_maps + of_weights


def _can_keep(camera: Tensor, lidar: Tensor) -> bool:
    return not (is_channels_first(camera) and is_channels_first(lidar))


@_exchange.register_fake
def _(camera, lidar, relation, camera_reader, lidar_reader, heads, full, merged, keep):
    weights = _weights(relation, camera_reader, lidar_reader, heads, full, merged)
    results = [empty_map((camera, lidar)[modality]) for modality in weights.readers]
    kept = [camera.new_empty(kept_size(camera, len(kept_names(weights))))]
    return results[:1 if merged else 2] + (kept if keep and _can_keep(camera, lidar) else [])


@_exchange_backward.register_fake
def _(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, full, merged,
      kept):
    return [empty_map(camera), empty_map(lidar),
            *(torch.empty_like(weight) for weight in [*relation, *camera_reader, *lidar_reader])]


def _keep(ctx, inputs: Tuple, output: List[Tensor]) -> None:
    camera, lidar, *groups, ctx.heads, ctx.full, ctx.merged, _ = inputs
    ctx.n_results = 1 if ctx.merged else sum(map(bool, groups[1:]))
    kept = output[ctx.n_results:]
    ctx.mark_non_differentiable(*kept)
    # Else zeros would be made as a gradient of what is kept.
    ctx.set_materialize_grads(False)
    ctx.sizes = [len(group) for group in (*groups, kept)]
    ctx.save_for_backward(camera, lidar, *(one for group in (*groups, kept) for one in group))


def _backward(ctx, of_outs: List[Optional[Tensor]]) -> Tuple:
    camera, lidar, *flat = ctx.saved_tensors
    *groups, kept = _cut(flat, ctx.sizes)
    gradients = [torch.zeros_like(like) if one is None else one
                 for one, like in zip(of_outs[:ctx.n_results], (camera, lidar))]
    of_camera, of_lidar, *of_weights = torch.ops.geminifusion3d.exchange_backward(
        camera, lidar, gradients, *groups, ctx.heads, ctx.full, ctx.merged, kept)
    return of_camera, of_lidar, *_cut(of_weights, ctx.sizes[:-1]), None, None, None, None


def _cut(flat: List[Tensor], sizes: List[int]) -> List[List[Tensor]]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [flat[start:start + size] for start, size in zip(starts, sizes)]


_exchange.register_autograd(_backward, setup_context=_keep)


def n_products(*, relation: bool, n_readers: int, full: bool) -> int:
    """Returns how many (C, C) matrices a cell meets in the operator; each takes C^2 multiply-adds.

    Args:
        relation: whether there is a relation network.
        n_readers: directions.
        full: in full precision, where two products of the relation network serve both directions.
    """
    of_reader = 5 + relation
    return n_readers * of_reader + (0 if not relation else 2 if full else 2 * n_readers)


def _flops(camera: Sequence[int], products: int) -> int:
    return 2 * math.prod(camera) * camera[-1] * products


@register_flop_formula(torch.ops.geminifusion3d.exchange)
def _flops_forward(camera, lidar, relation, camera_reader, lidar_reader, heads, full, *_, **__) -> int:
    n_readers = bool(camera_reader) + bool(lidar_reader)
    return _flops(camera, n_products(relation=bool(relation), n_readers=n_readers, full=full))


@register_flop_formula(torch.ops.geminifusion3d.exchange_backward)
def _flops_backward(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, full, merged,
                    kept, *_, **__) -> int:
    n_readers = bool(camera_reader) + bool(lidar_reader)
    products = n_products(relation=bool(relation), n_readers=n_readers, full=full)
    # Two products for each, and if nothing is kept all but the last two of a direction once more.
    return _flops(camera, 2 * products if kept else 3 * products - 2 * n_readers)
