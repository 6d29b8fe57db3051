"""GeminiFusion of one layer as a single operator of PyTorch, with a backward pass written by hand.

The operator is opaque to torch.compile, which neither breaks on it nor unrolls its blocks. What surrounds
it, folding constants into weights, is left to autograd.
"""
import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from .gemini_passes import Weights, empty_map, run_backward, run_forward
from .gemini_weights import CAMERA, LIDAR, ReaderWeights, RelationWeights, split_relation


def exchange(camera: Tensor, lidar: Tensor, relation: Optional[RelationWeights],
             readers: Dict[int, ReaderWeights], *, heads: int, dtype: torch.dtype) -> List[Tensor]:
    """Returns the enriched map of each direction.

    Args:
        camera: (..., C) any strides; the cheapest are channels-last, and channels-first for (B, Y, X, C).
        lidar: of the same shape.
        relation: weights as the module holds them (Wa, Wb), or None.
        readers: folded weights of each direction.
        heads: H.
        dtype: of the products, unless autocast sets another one. Results have the dtype of their map.

    Raises:
        RuntimeError: where it is differentiated twice.
    """
    device = camera.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    split = relation is not None and len(readers) == 2 and works_on_sums(device, dtype)
    if split:
        relation = relation._replace(**dict(zip(('first', 'second'), split_relation(*relation[:2]))))
    cast = [[weight.to(dtype) for weight in group] for group in (
        relation or (), readers.get(CAMERA, ()), readers.get(LIDAR, ()))]
    return torch.ops.geminifusion3d.exchange(camera, lidar, *cast, heads, split)


def works_on_sums(device: str, dtype: torch.dtype) -> bool:
    """Whether a relation network for both directions works on sum and difference of the maps.

    Half precision and TF32 round a sum of two maps of unlike size more than they round either of them.

    Args:
        device: its type.
        dtype: of the products.
    """
    return device == 'cpu' and dtype in (torch.float32, torch.float64)


def _weights(relation: Sequence[Tensor], camera: Sequence[Tensor], lidar: Sequence[Tensor], heads: int,
             split: bool) -> Weights:
    readers = {modality: ReaderWeights(*group)
               for modality, group in ((CAMERA, camera), (LIDAR, lidar)) if group}
    return Weights(RelationWeights(*relation) if relation else None, readers, heads, split)


@torch.library.custom_op('geminifusion3d::exchange', mutates_args=())
def _exchange(camera: Tensor, lidar: Tensor, relation: List[Tensor], camera_reader: List[Tensor],
              lidar_reader: List[Tensor], heads: int, split: bool) -> List[Tensor]:
    with torch.autocast(camera.device.type, enabled=False):
        return run_forward((camera, lidar), _weights(relation, camera_reader, lidar_reader, heads, split))


@torch.library.custom_op('geminifusion3d::exchange_backward', mutates_args=())
def _exchange_backward(camera: Tensor, lidar: Tensor, gradients: List[Tensor], relation: List[Tensor],
                       camera_reader: List[Tensor], lidar_reader: List[Tensor], heads: int, split: bool
                       ) -> List[Tensor]:
    with torch.autocast(camera.device.type, enabled=False):
        of_maps, of_weights = run_backward(
            (camera, lidar), gradients, _weights(relation, camera_reader, lidar_reader, heads, split))
    return of_maps + of_weights


@_exchange.register_fake
def _(camera, lidar, relation, camera_reader, lidar_reader, heads, split):
    return [empty_map(one) for one, group in ((camera, camera_reader), (lidar, lidar_reader)) if group]


@_exchange_backward.register_fake
def _(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, split):
    return [empty_map(camera), empty_map(lidar),
            *(torch.empty_like(weight) for weight in [*relation, *camera_reader, *lidar_reader])]


def _keep(ctx, inputs: Tuple, output: List[Tensor]) -> None:
    camera, lidar, *groups, ctx.heads, ctx.split = inputs
    ctx.sizes = [len(group) for group in groups]
    ctx.save_for_backward(camera, lidar, *(weight for group in groups for weight in group))


def _backward(ctx, of_outs: List[Tensor]) -> Tuple:
    camera, lidar, *flat = ctx.saved_tensors
    groups = _cut(flat, ctx.sizes)
    of_camera, of_lidar, *of_weights = torch.ops.geminifusion3d.exchange_backward(
        camera, lidar, of_outs, *groups, ctx.heads, ctx.split)
    return of_camera, of_lidar, *_cut(of_weights, ctx.sizes), None, None


def _cut(flat: List[Tensor], sizes: List[int]) -> List[List[Tensor]]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [flat[start:start + size] for start, size in zip(starts, sizes)]


_exchange.register_autograd(_backward, setup_context=_keep)


def n_products(*, relation: bool, n_readers: int, split: bool) -> int:
    """Returns how many (C, C) matrices a cell meets in the operator; each takes C^2 multiply-adds.

    Args:
        relation: whether there is a relation network.
        n_readers: directions.
        split: whether two products of the relation network serve both directions.
    """
    of_reader = 5 + relation
    return n_readers * of_reader + (0 if not relation else 2 if split else 2 * n_readers)


def _flops(camera: Sequence[int], relation: Sequence, n_readers: int, split: bool, repeats: int) -> int:
    products = n_products(relation=bool(relation), n_readers=n_readers, split=split)
    # Backward takes two products for each, and computes all but the last two of a direction once more.
    products = products if repeats == 1 else repeats * products - 2 * n_readers
    return 2 * math.prod(camera) * camera[-1] * products


@register_flop_formula(torch.ops.geminifusion3d.exchange)
def _flops_forward(camera, lidar, relation, camera_reader, lidar_reader, heads, split, *_, **__) -> int:
    return _flops(camera, relation, bool(camera_reader) + bool(lidar_reader), split, 1)


@register_flop_formula(torch.ops.geminifusion3d.exchange_backward)
def _flops_backward(camera, lidar, gradients, relation, camera_reader, lidar_reader, heads, split, *_, **__
                    ) -> int:
    return _flops(camera, relation, bool(camera_reader) + bool(lidar_reader), split, 3)
