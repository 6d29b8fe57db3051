"""The contestants of `benchmark fusion`: what makes one BEV map of a camera map and a LiDAR map.

The official formula is GeminiFusion as the official code computes it: each direction is one call of the
library's multi-head attention with cells as its batch, two keys per cell, and attention weights returned.

Source: official segmentation branch, models/mix_transformer.py, class Attention, at 1f102f6.
"""
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from geminifusion3d.fusion.gemini_fusion import CAMERA, LIDAR, GeminiAttention, GeminiFusion

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


class OfficialGeminiFusion(nn.Module):
    """The same function of a fuser's weights, which must merge by alpha."""

    def __init__(self, *, fuser: GeminiFusion) -> None:
        super().__init__()
        self.fuser = fuser

    def forward(self, camera_bev: Float[Tensor, 'b c y x'], lidar_bev: Float[Tensor, 'b c y x']
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map."""
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in self.fuser.layers:
            camera, lidar = official_layer(layer, camera, lidar)
        share, lidar_share = self.fuser.get_parameter('alpha').softmax(dim=0)
        return (share * camera + lidar_share * lidar).permute(0, 3, 1, 2)


def official_layer(layer: Any, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                   ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
    """Return the enriched camera and LiDAR features of a GeminiFusionLayer."""
    return (_read(layer, layer.camera_attention, camera, lidar, CAMERA),
            _read(layer, layer.lidar_attention, lidar, camera, LIDAR))


def _read(layer: Any, attention: Optional[GeminiAttention], own_map: Tensor, other_map: Tensor,
          modality: int) -> Tensor:
    if attention is None:
        return own_map
    own, other = own_map.flatten(0, -2), other_map.flatten(0, -2)
    cross, relation = other, layer.relation
    if relation is not None:
        hidden = F.gelu(relation.fc1(torch.cat([own, other], dim=1)))
        cross = own * relation.fc2(hidden).softmax(dim=1) * relation.scale
        cross = (cross + other) / 2 if relation.with_twin else cross
    noise_k, noise_v = (0 if noise is None else noise.weight[modality]
                        for noise in (layer.k_noise, layer.v_noise))
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    read, _ = F.multi_head_attention_forward(
        own[None], torch.stack([own + noise_k, cross]), torch.stack([own + noise_v, other]), own.shape[1],
        attention.heads, in_proj_weight=torch.cat([q.weight, k.weight, v.weight]),
        in_proj_bias=torch.cat([q.bias, torch.zeros_like(q.bias), v.bias]), bias_k=None, bias_v=None,
        add_zero_attn=False, dropout_p=0.0, out_proj_weight=attention.out_proj.weight,
        out_proj_bias=attention.out_proj.bias, need_weights=True)
    return (own + read[0]).view(own_map.shape)
