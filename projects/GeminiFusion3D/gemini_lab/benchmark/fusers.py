"""The contestants of `benchmark fusion`: what makes one BEV map of a camera map and a LiDAR map."""
from typing import Any, Callable, Dict, List, Tuple

import torch
from torch import Tensor, nn

from geminifusion3d.ops.gemini_exchange import in_full_precision, n_products
from geminifusion3d.ops.gemini_layout import BlockShape, plan_blocks
from geminifusion3d.ops.gemini_passes import block_limits
from geminifusion3d.ops.gemini_products import Projection, projection
from geminifusion3d.ops.weighted_sum import weighted_sum

OURS, REFERENCE = 'GeminiFusion', 'reference formula'
PRODUCTS, BLOCK_PRODUCTS = 'its matrix products alone', 'its matrix products alone, in cache'
CONVOLUTION, ADDITION = 'convolution (BEVFusion)', 'addition'
WINDOWS, WHOLE = 'cross-attention, windows of 8 x 8', 'cross-attention, whole map'
HEADS, WINDOW = 8, 8
INCLUDES = ('both directions and the merge of the two maps, which lie channels-last as both branches return '
            'them')
PRODUCTS_INCLUDE = ('the products of cells and weights of one layer in both directions over the whole map, '
                    'as PyTorch multiplies matrices, nothing between them, into memory that is used again; '
                    'in a training step also those of the gradients')
BLOCK_PRODUCTS_INCLUDE = ('the same products as the operator makes them, by the library that it uses on this '
                          'machine and in the blocks of cells that it works on: no result leaves the cache')
REFERENCE_INCLUDES = ('the same function with the same weights as the official code computes it: cells as '
                      'the batch of the library\'s multi-head attention with two keys, concatenated tokens')


class ReferenceFuser(nn.Module):
    """GeminiFusion with the same weights, each layer by the formula of the official code.

    Args:
        fuser: whose weights are used.
    """

    def __init__(self, *, fuser: nn.Module) -> None:
        super().__init__()
        self.fuser = fuser

    def forward(self, camera_bev: Tensor, lidar_bev: Tensor) -> Tensor:
        """Returns the fused map.

        Args:
            camera_bev: (B, C, Y, X).
            lidar_bev: (B, C, Y, X).
        """
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in self.fuser.layers:
            camera, lidar = layer.forward_by_formula(camera, lidar)
        return weighted_sum(camera, lidar, self.fuser.alpha.softmax(dim=0)).permute(0, 3, 1, 2)


class MatrixProducts(nn.Module):
    """The matrix products of one layer of GeminiFusion in both directions, and nothing else.

    As many (N, C) x (C, C) products as the operator makes on that device, into memory that is used again;
    with gradients, those of the gradients included and none twice.

    Args:
        channels: C.
        products: how many.
        in_blocks: without gradients, in the blocks of cells that the operator works on and by its library.
    """

    def __init__(self, *, channels: int, products: int, in_blocks: bool = False) -> None:
        super().__init__()
        self.in_blocks = in_blocks
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(channels, channels) / channels ** 0.5) for _ in range(products))

    def forward(self, camera_bev: Tensor, lidar_bev: Tensor) -> List[Tensor]:
        """Returns every product, or one of the last: nobody reads it.

        Args:
            camera_bev: (B, C, Y, X).
            lidar_bev: (B, C, Y, X).
        """
        maps = [bev.permute(0, 2, 3, 1).flatten(0, 2) for bev in (camera_bev, lidar_bev)]
        if torch.is_grad_enabled():
            return [nn.functional.linear(maps[index % 2], weight)
                    for index, weight in enumerate(self.weights)]
        if self.in_blocks:
            return self._block_by_block(maps)
        outs = [torch.empty_like(rows) for rows in maps]
        for index, weight in enumerate(self.weights):
            torch.mm(maps[index % 2], weight.t(), out=outs[index % 2])
        return outs

    def _block_by_block(self, maps: List[Tensor]) -> List[Tensor]:
        last: List[Tensor] = []
        by_shape: Dict[BlockShape, Tuple[List[Projection], List[Tensor]]] = {}
        for start, n_parts, n_cells in plan_blocks(len(maps[0]), *block_limits(maps[0])):
            shape = BlockShape(1, n_parts, n_cells, maps[0].shape[1])
            if shape not in by_shape:
                by_shape[shape] = ([projection(weight, None, shape) for weight in self.weights],
                                   [rows.new_empty(shape.size) for rows in maps])
            projections, memory = by_shape[shape]
            blocks = [shape.cells(rows, start) for rows in maps]
            for index, one in enumerate(projections):
                last = [one.make(blocks[index % 2], lambda: memory[index % 2])]
        return last


def build_fusers(channels: int, device: torch.device, dtype: torch.dtype
                 ) -> Dict[str, Callable[[], nn.Module]]:
    """Returns how to build each contestant, by name.

    Args:
        channels: C of both maps and of the fused map.
        device: where it will work.
        dtype: of its numbers.
    """
    from geminifusion3d.fusion.add_fuser import GeminiAddFuser
    from geminifusion3d.fusion.conv_fuser import GeminiConvFuser
    from geminifusion3d.fusion.cross_attention_fuser import GeminiCrossAttention
    from geminifusion3d.fusion.gemini_fusion import GeminiFusion
    products = n_products(relation=True, n_readers=2, full=in_full_precision(device.type, dtype))
    return {
        OURS: lambda: GeminiFusion(channels=channels, heads=HEADS),
        REFERENCE: lambda: ReferenceFuser(fuser=GeminiFusion(channels=channels, heads=HEADS)),
        PRODUCTS: lambda: MatrixProducts(channels=channels, products=products),
        BLOCK_PRODUCTS: lambda: MatrixProducts(channels=channels, products=products, in_blocks=True),
        CONVOLUTION: lambda: GeminiConvFuser(in_channels=[channels, channels], out_channels=channels),
        ADDITION: lambda: GeminiAddFuser(channels=channels),
        WINDOWS: lambda: GeminiCrossAttention(channels=channels, heads=HEADS, window=WINDOW),
        WHOLE: lambda: GeminiCrossAttention(channels=channels, heads=HEADS)}


def includes(name: str) -> str:
    """Says in words what the seconds of a contestant include."""
    return {PRODUCTS: PRODUCTS_INCLUDE, BLOCK_PRODUCTS: BLOCK_PRODUCTS_INCLUDE,
            REFERENCE: REFERENCE_INCLUDES}.get(name, INCLUDES)


def inference_call(fuser: nn.Module, maps: List[Tensor]) -> Callable[[], Any]:
    """Returns a call that fuses two maps without gradients."""
    fuser.eval().requires_grad_(False)

    def call() -> Any:
        with torch.inference_mode():
            return fuser(*maps)
    return call


def training_call(fuser: nn.Module, maps: List[Tensor]) -> Callable[[], Any]:
    """Returns a call that fuses two maps and computes all gradients, those of the maps included."""
    fuser.train()
    inputs = [bev.detach().requires_grad_() for bev in maps]
    leaves = [*inputs, *fuser.parameters()]

    def call() -> Any:
        fused = fuser(*inputs)
        outputs = fused if isinstance(fused, list) else [fused]
        # A gradient that is not constant, as a loss gives; the values do not matter for the time.
        torch.autograd.backward(outputs, [output.detach() for output in outputs])
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients
    return call
