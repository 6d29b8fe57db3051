"""The contestants of `benchmark fusion`: what makes one BEV map of a camera map and a LiDAR map."""
from typing import Any, Callable, Dict, List

import torch
from torch import Tensor, nn

OURS, REFERENCE = 'GeminiFusion', 'official formula'
PRODUCTS = 'its matrix products alone'
CONVOLUTION, ADDITION = 'convolution (BEVFusion)', 'addition'
WINDOWS, WHOLE = 'cross-attention, windows of 8 x 8', 'cross-attention, whole map'
HEADS, WINDOW = 8, 8
# (C, C) matrices that a cell of a layer meets in both directions.
N_PRODUCTS = 14
INCLUDES = ('both directions and the merge of the two maps, which lie channels-last as both branches return '
            'them')
PRODUCTS_INCLUDE = ('the products of cells and weights of one layer in both directions over the whole map, '
                    'as PyTorch multiplies matrices, nothing between them, into memory that is used again; '
                    'in a training step also those of the gradients')
REFERENCE_INCLUDES = ('the same function with the same weights as the official code computes it: cells as '
                      'the batch of the library\'s multi-head attention with two keys, concatenated tokens')


class MatrixProducts(nn.Module):
    """The matrix products of one layer of GeminiFusion in both directions, and nothing else.

    Without gradients into memory that is used again; with gradients, those of the gradients included.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(channels, channels) / channels ** 0.5) for _ in range(N_PRODUCTS))

    def forward(self, camera_bev: Tensor, lidar_bev: Tensor) -> List[Tensor]:
        """Returns every product, or the last ones: nobody reads them.

        Args:
            camera_bev: (B, C, Y, X).
            lidar_bev: (B, C, Y, X).
        """
        maps = [bev.permute(0, 2, 3, 1).flatten(0, 2) for bev in (camera_bev, lidar_bev)]
        if torch.is_grad_enabled():
            return [nn.functional.linear(maps[index % 2], weight)
                    for index, weight in enumerate(self.weights)]
        outs = [torch.empty_like(rows) for rows in maps]
        for index, weight in enumerate(self.weights):
            torch.mm(maps[index % 2], weight.t(), out=outs[index % 2])
        return outs


def build_fusers(channels: int) -> Dict[str, Callable[[], nn.Module]]:
    """Returns how to build each contestant, by name."""
    from geminifusion3d.fusion.cross_attention import GeminiCrossAttention
    from geminifusion3d.fusion.gemini_fusion import GeminiFusion
    from geminifusion3d.fusion.two_maps import GeminiAddFuser, GeminiConvFuser

    from .official_gemini import OfficialGeminiFusion
    return {
        OURS: lambda: GeminiFusion(channels=channels, heads=HEADS),
        REFERENCE: lambda: OfficialGeminiFusion(fuser=GeminiFusion(channels=channels, heads=HEADS)),
        PRODUCTS: lambda: MatrixProducts(channels=channels),
        CONVOLUTION: lambda: GeminiConvFuser(in_channels=[channels, channels], out_channels=channels),
        ADDITION: lambda: GeminiAddFuser(channels=channels),
        WINDOWS: lambda: GeminiCrossAttention(channels=channels, heads=HEADS, window=WINDOW),
        WHOLE: lambda: GeminiCrossAttention(channels=channels, heads=HEADS)}


def includes(name: str) -> str:
    """Says in words what the seconds of a contestant include."""
    return {PRODUCTS: PRODUCTS_INCLUDE, REFERENCE: REFERENCE_INCLUDES}.get(name, INCLUDES)


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
