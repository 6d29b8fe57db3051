"""GeminiFusion of one layer as a single operator of PyTorch, with a backward pass written by hand.

The operator is opaque to torch.compile, which neither breaks on it nor unrolls its blocks. What surrounds
it, folding constants into weights, is left to autograd.
"""
import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .gemini_passes import empty_map, run_backward, run_forward
from .gemini_weights import (CAMERA, LIDAR, LayerWeights, ReaderWeights, RelationWeights,
                             split_relation, weigh_results, with_residual)
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
    merged = shares is not None and full
    if full:
        readers = {modality: with_residual(reader) for modality, reader in readers.items()}
    if merged:
        readers = weigh_results(readers, shares)
    if full and relation is not None and len(readers) == 2:
        relation = relation._replace(**dict(zip(('first', 'second'), split_relation(*relation[:2]))))
    cast = [[weight.to(dtype) for weight in group] for group in (
        relation or (), readers.get(CAMERA, ()), readers.get(LIDAR, ()))]
    results = torch.ops.geminifusion3d.exchange(camera, lidar, *cast, heads, full, merged)
    return results if merged or shares is None else [weighted_sum(*results, shares)]


def in_full_precision(device: str, dtype: torch.dtype) -> bool:
    """Whether products are exact enough for residuals in them, and for sum and difference of the maps.

    Half precision and TF32 round a map, and a sum of two maps of unlike size more than either of them.

    Args:
        device: its type.
        dtype: of the products.
    """
    return device == 'cpu' and dtype in (torch.float32, torch.float64)


def _weights(relation: Sequence[Tensor], camera: Sequence[Tensor], lidar: Sequence[Tensor], heads: int,
             full: bool, merged: bool) -> LayerWeights:
    readers = {modality: ReaderWeights(*group)
               for modality, group in ((CAMERA, camera), (LIDAR, lidar)) if group}
    return LayerWeights(RelationWeights(*relation) if relation else None, readers, heads, full, merged)


@torch.library.custom_op('geminifusion3d::exchange', mutates_args=())
def _exchange(camera: Tensor, lidar: Tensor, relation: List[Tensor], camera_reader: List[Tensor],
              lidar_reader: List[Tensor], heads: int, full: bool, merged: bool) -> List[Tensor]:
    with torch.autocast(camera.device.type, enabled=False):
        return run_forward(
            (camera, lidar), _weights(relation, camera_reader, lidar_reader, heads, full, merged))


@torch.library.custom_op('geminifusion3d::exchange_backward', mutates_args=())
def _exchange_backward(camera: Tensor, lidar: Tensor, gradients: List[Tensor], relation: List[Tensor],
                       camera_reader: List[Tensor], lidar_reader: List[Tensor], heads: int, full: bool,
                       merged: bool) -> List[Tensor]:
    with torch.autocast(camera.device.type, enabled=False):
        of_maps, of_weights = run_backward(
            (camera, lidar), gradients,
            _weights(relation, camera_reader, lidar_reader, heads, full, merged))
    return of_maps + of_weights


@_exchange.register_fake
def _(camera, lidar, relation, camera_reader, lidar_reader, heads, full, merged):
    results = [empty_map(one) for one, group in ((camera, camera_reader), (lidar, lidar_reader)) if group]
    return results[:1] if merged else results


@_exchange_backward.register_fake
def _(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, full, merged):
    return [empty_map(camera), empty_map(lidar),
            *(torch.empty_like(weight) for weight in [*relation, *camera_reader, *lidar_reader])]


def _keep(ctx, inputs: Tuple, output: List[Tensor]) -> None:
    camera, lidar, *groups, ctx.heads, ctx.full, ctx.merged = inputs
    ctx.sizes = [len(group) for group in groups]
    ctx.save_for_backward(camera, lidar, *(weight for group in groups for weight in group))


def _backward(ctx, of_outs: List[Tensor]) -> Tuple:
    camera, lidar, *flat = ctx.saved_tensors
    groups = _cut(flat, ctx.sizes)
    of_camera, of_lidar, *of_weights = torch.ops.geminifusion3d.exchange_backward(
        camera, lidar, of_outs, *groups, ctx.heads, ctx.full, ctx.merged)
    return of_camera, of_lidar, *_cut(of_weights, ctx.sizes), None, None, None


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


def _flops(camera: Sequence[int], relation: Sequence, n_readers: int, full: bool, repeats: int) -> int:
    products = n_products(relation=bool(relation), n_readers=n_readers, full=full)
    # Backward takes two products for each, and computes all but the last two of a direction once more.
    products = products if repeats == 1 else repeats * products - 2 * n_readers
    return 2 * math.prod(camera) * camera[-1] * products


@register_flop_formula(torch.ops.geminifusion3d.exchange)
def _flops_forward(camera, lidar, relation, camera_reader, lidar_reader, heads, full, *_, **__) -> int:
    return _flops(camera, relation, bool(camera_reader) + bool(lidar_reader), full, 1)


@register_flop_formula(torch.ops.geminifusion3d.exchange_backward)
def _flops_backward(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, full, *_, **__
                    ) -> int:
    return _flops(camera, relation, bool(camera_reader) + bool(lidar_reader), full, 3)
