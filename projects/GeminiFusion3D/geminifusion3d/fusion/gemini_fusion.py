"""GeminiFusion: each cell of a BEV map attends to itself and to its twin in the other map.

Source: Jia et al., GeminiFusion, ICML 2024, section 3.3; official segmentation branch
(models/mix_transformer.py, class Attention, at 1f102f6); the merge is that of the official KITTI branch
(point_fusion.py, at 8456609). What changes here: batched BEV maps, and parts that can be left out.

Per cell, with own feature x and twin y of C channels, and per head of d channels:

    r      = softmax over channels of W2 gelu(W1 [x ; y])                      RelationScore
    k_self = Wk (x + noise_k),   v_self = Wv (x + noise_v),   q = Wq x         GeminiAttention
    k_twin = Wk (x * r),         v_twin = Wv y
    a      = softmax over {self, twin} of q . k / sqrt(d)
    out    = x + Wo (a_self v_self + a_twin v_twin)
    fused  = softmax(alpha) . (out of the camera, out of the LiDAR)            GeminiFusion

The modules compute this with three identities, which save 6 of 20 products with a (C, C) matrix:

    a_self = sigmoid(q . (k_self - k_twin) / sqrt(d)): two keys are one product, and a bias of keys cancels;
    a_self v_self + a_twin v_twin = lerp(v_twin, v_self, a_self), and likewise in the merge;
    W1 [x ; y] = s + t and W1 [y ; x] = s - t, where W1 = [A ; B], 2 s = (A + B)(x + y), 2 t = (A - B)(x - y).
"""
from typing import Callable, Optional, Tuple, Union

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import check_choice
from .two_maps import GeminiConvFuser, check_same_shape, weighted_sum

CAMERA, LIDAR = 0, 1
DIRECTIONS = {'both': (CAMERA, LIDAR), 'camera_from_lidar': (CAMERA,), 'lidar_from_camera': (LIDAR,)}
MERGES = ('alpha', 'concat')
RELATIONS = ('softmax', 'scaled', 'both', 'none')
INITS = ('default', 'segmentation', 'kitti')
ACTIVATIONS = ('none', 'relu')
# On a CPU: what is computed between two products stays in its cache.
CELLS_PER_BLOCK = 4096


class RelationScore(nn.Module):
    """Scores channel by channel how much a cell and its twin agree; one network for both directions.

    Args:
        channels: C.
        scale: what the scores of a cell sum to. At 1 the twin's key is about 1/C of the cell's own, so that
            the attention hardly sees whether the twin is good; at C both are of one size.
        with_twin: the twin's key is the mean of the scored own feature and of the twin, not the first alone.
    """

    def __init__(self, *, channels: int, scale: float = 1.0, with_twin: bool = False) -> None:
        super().__init__()
        self.scale, self.with_twin = scale, with_twin
        self.fc1 = nn.Linear(2 * channels, channels)
        self.fc2 = nn.Linear(channels, channels)

    def forward(self, own: Float[Tensor, '*cells c'], other: Float[Tensor, '*cells c']
                ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Return the scores of [own ; other] and of [other ; own]; each sums to `scale` over the channels."""
        of_own, of_other = self.fc1.weight.chunk(2, dim=1)
        common = F.linear(own + other, (of_own + of_other) / 2, self.fc1.bias)
        difference = F.linear(own - other, (of_own - of_other) / 2)
        logits = [self.fc2(F.gelu(hidden)) for hidden in (common + difference, common - difference)]
        dtype = torch.promote_types(logits[0].dtype, torch.float32)
        scores = [one.softmax(-1, dtype=dtype) for one in logits]
        # A product with 1 would cost a pass over both maps.
        return (scores[0], scores[1]) if self.scale == 1 else (self.scale * scores[0], self.scale * scores[1])


def make_relation(relation: Union[bool, str], *, channels: int) -> Optional[RelationScore]:
    """Return the network of a choice of RELATIONS; True is the first of them, False the last."""
    if isinstance(relation, bool):
        relation = 'softmax' if relation else 'none'
    check_choice('relation', relation, RELATIONS)
    scale = channels if relation in ('scaled', 'both') else 1
    return None if relation == 'none' else RelationScore(
        channels=channels, scale=scale, with_twin=relation == 'both')


class GeminiAttention(nn.Module):
    """One direction; without noise the paper's equation 5, without a score its equations 2 and 3 (key Wk y).

    Args:
        channels: C.
        heads: attention heads; must divide C.

    Raises:
        ValueError: if heads does not divide channels.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        if channels < 1 or channels % heads:
            raise ValueError(f'heads must divide channels, got {heads} heads for {channels} channels')
        self.heads = heads
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels, bias=False)
        self.v_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)
        for projection in (self.q_proj, self.k_proj, self.v_proj):
            nn.init.xavier_uniform_(projection.weight)
        for projection in (self.q_proj, self.v_proj, self.out_proj):
            nn.init.zeros_(projection.bias)

    def forward(self, own: Float[Tensor, '*cells c'], other: Float[Tensor, '*cells c'],
                score: Optional[Float[Tensor, '*cells c']] = None,
                noise_k: Optional[Float[Tensor, ' c']] = None,
                noise_v: Optional[Float[Tensor, ' c']] = None, *, with_twin: bool = False
                ) -> Float[Tensor, '*cells c']:
        """Return x plus what it read of y, scored by r; `with_twin`: the twin's key is Wk (x * r + y) / 2."""
        self_key = own if noise_k is None else own + noise_k
        self_value = own if noise_v is None else own + noise_v
        # Self minus twin, whose key is own * score.
        gap = self_key - other if score is None else torch.addcmul(self_key, own, score, value=-1)
        if with_twin:
            # Of the mean of two keys: the mean of their gaps.
            gap = torch.lerp(gap, (self_key - other).to(gap.dtype), 0.5)
        query, key_gap = self.q_proj(own), self.k_proj(gap.to(own.dtype))
        # A sum in half precision would lose what float32 keeps.
        dtype = torch.promote_types(query.dtype, torch.float32)
        logit_gap = self._per_head(query * key_gap).sum(-1, keepdim=True, dtype=dtype)
        self_share = (logit_gap * (query.shape[-1] // self.heads) ** -0.5).sigmoid()
        v_self, v_twin = self._per_head(self.v_proj(self_value)), self._per_head(self.v_proj(other))
        value = torch.lerp(v_twin, v_self, self_share.to(v_self.dtype))
        return (own + self.out_proj(value.flatten(-2))).to(own.dtype)

    def _per_head(self, features: Float[Tensor, '*cells c']) -> Float[Tensor, '*cells heads d']:
        return features.unflatten(-1, (self.heads, -1))


class GeminiFusionLayer(nn.Module):
    """Both directions; the relation network is shared, the attention and the noise are not.

    Args:
        channels: C.
        heads: attention heads; must divide C.
        noise: add the learned noise to the own key and value.
        relation: what the twin's key is: 'softmax' (or True), own feature times relation score, as the paper
            has it, Wk (x * r); 'scaled', Wk (C x * r); 'none' (or False), the twin itself, Wk y; 'both',
            Wk (C x * r + y) / 2, which tells a good twin from a bad one and where the two agree.
        directions: a key of DIRECTIONS; a modality that does not read passes unchanged.
        init: 'default', 'segmentation' or 'kitti': how that branch of the official code starts.

    Raises:
        ValueError: for an unknown relation, direction or init.
    """

    def __init__(self, *, channels: int, heads: int, noise: bool = True, relation: Union[bool, str] = True,
                 directions: str = 'both', init: str = 'default') -> None:
        super().__init__()
        check_choice('directions', directions, DIRECTIONS)
        check_choice('init', init, INITS)
        self.relation = make_relation(relation, channels=channels)
        self.camera_attention, self.lidar_attention = (
            GeminiAttention(channels=channels, heads=heads) if one in DIRECTIONS[directions] else None
            for one in (CAMERA, LIDAR))
        self.k_noise = nn.Embedding(2, channels) if noise else None
        self.v_noise = nn.Embedding(2, channels) if noise else None
        if init != 'default':
            self._start_as_official(init)

    def _start_as_official(self, branch: str) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                if branch == 'segmentation':
                    nn.init.trunc_normal_(module.weight, std=0.02)
                else:
                    nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for attention in (self.camera_attention, self.lidar_attention):
            if attention is not None:
                for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
                    # Thirds of one (3C, C) matrix there: fan_in + fan_out is 4 C, not 2 C.
                    nn.init.xavier_uniform_(projection.weight, gain=0.5 ** 0.5)

    def forward(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Return the enriched camera and LiDAR features; each reads the other's input."""
        scores = (None, None) if self.relation is None else self.relation(camera, lidar)
        noise = [(None, None) if self.k_noise is None or self.v_noise is None else
                 (self.k_noise.weight[row], self.v_noise.weight[row]) for row in (CAMERA, LIDAR)]
        both = self.relation is not None and self.relation.with_twin
        new_camera, new_lidar = camera, lidar
        if self.camera_attention is not None:
            new_camera = self.camera_attention(camera, lidar, scores[CAMERA], *noise[CAMERA], with_twin=both)
        if self.lidar_attention is not None:
            new_lidar = self.lidar_attention(lidar, camera, scores[LIDAR], *noise[LIDAR], with_twin=both)
        return new_camera, new_lidar


@MODELS.register_module()
class GeminiFusion(BaseModule):
    """Fuses two aligned maps cell by cell, in time linear in the number of cells.

    Two tensors of four dimensions are maps (B, C, Y, X), of three dimensions tokens (B, N, C); what comes
    back has their shape.

    Args:
        channels: C of both maps and of the fused map.
        heads: attention heads; must divide C.
        layers: L, how often the two maps exchange.
        merge: how two maps become one: 'alpha', the learned sum of the official KITTI branch, or
            'concat', BEVFusion's convolution over both, for maps only.
        activation: 'relu', as in the KITTI branch, or 'none': what follows the merge.
        noise: see GeminiFusionLayer.
        relation: see GeminiFusionLayer.
        directions: see GeminiFusionLayer.
        init: see GeminiFusionLayer.

    Raises:
        ValueError: if there is no layer, or a choice is unknown.
    """

    def __init__(self, channels: int, heads: int = 8, *, layers: int = 1, merge: str = 'alpha',
                 activation: str = 'none', noise: bool = True, relation: Union[bool, str] = True,
                 directions: str = 'both', init: str = 'default') -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f'GeminiFusion needs at least one layer, got layers={layers}')
        check_choice('merge', merge, MERGES)
        check_choice('activation', activation, ACTIVATIONS)
        self.layers = nn.ModuleList(
            GeminiFusionLayer(channels=channels, heads=heads, noise=noise, relation=relation,
                              directions=directions, init=init) for _ in range(layers))
        self.alpha = nn.Parameter(torch.zeros(2)) if merge == 'alpha' else None
        self.merge = None if merge == 'alpha' else GeminiConvFuser(
            in_channels=[channels, channels], out_channels=channels)
        self.activation = nn.ReLU() if activation == 'relu' else nn.Identity()
        self.out_channels = channels

    def forward(self, camera: Float[Tensor, ' *map_or_tokens'],
                lidar: Float[Tensor, ' *lidar_map_or_tokens']) -> Float[Tensor, ' *map_or_tokens']:
        """Return the fused map or tokens; ValueError if the two are neither, or differ in shape."""
        if self.merge is not None:
            if camera.dim() == 3:
                raise ValueError('merge="concat" convolves over maps (B, C, Y, X), got '
                                 f'{tuple(camera.shape)}; tokens need merge="alpha"')
            return self.activation(self.merge(*self.exchange(camera, lidar)))
        alpha = self.get_parameter('alpha')

        def fuse(camera: Tensor, lidar: Tensor) -> Tuple[Tensor, ...]:
            return weighted_sum(*self._exchange_cells(camera, lidar), alpha.softmax(dim=0)),
        return self.activation(self._cell_by_cell(fuse, camera, lidar)[0])

    def exchange(self, camera: Float[Tensor, ' *map_or_tokens'],
                 lidar: Float[Tensor, ' *lidar_map_or_tokens']
                 ) -> Tuple[Float[Tensor, ' *map_or_tokens'], Float[Tensor, ' *map_or_tokens']]:
        """Return what came from the camera and from the LiDAR, each enriched by the other, in its shape."""
        new_camera, new_lidar = self._cell_by_cell(self._exchange_cells, camera, lidar)
        return new_camera, new_lidar

    def _exchange_cells(self, camera: Float[Tensor, 'n c'], lidar: Float[Tensor, 'n c']
                        ) -> Tuple[Float[Tensor, 'n c'], Float[Tensor, 'n c']]:
        for layer in self.layers:
            camera, lidar = layer(camera, lidar)
        return camera, lidar

    def _cell_by_cell(self, work: Callable[[Tensor, Tensor], Tuple[Tensor, ...]], *inputs: Tensor
                      ) -> Tuple[Tensor, ...]:
        """Return what `work` makes of the (N, C) cells of both inputs, in their shape.

        On a CPU block after block: no cell sees another, so that blocks change the time alone. A compiler
        makes better use of the whole, and an exporter would write down how many blocks there are.
        """
        check_same_shape(*inputs)
        shape, is_map = inputs[0].shape, inputs[0].dim() == 4
        if len(shape) not in (3, 4) or shape[1 if is_map else 2] != self.out_channels:
            raise ValueError(
                f'this fuser needs two maps (B, {self.out_channels}, Y, X) or two tensors of tokens '
                f'(B, N, {self.out_channels}), got {tuple(shape)}')
        # Copies nothing where the maps already lie channels-last in memory.
        channels_last = [one.permute(0, 2, 3, 1) if is_map else one for one in inputs]
        camera, lidar = (one.flatten(0, -2) for one in channels_last)
        if camera.device.type != 'cpu' or torch.compiler.is_compiling() or torch.jit.is_tracing():
            results = work(camera, lidar)
        else:
            blocks = [work(*block)
                      for block in zip(camera.split(CELLS_PER_BLOCK), lidar.split(CELLS_PER_BLOCK))]
            results = tuple(torch.cat(parts) for parts in zip(*blocks))
        outputs = (cells.view(channels_last[0].shape) for cells in results)
        return tuple(one.permute(0, 3, 1, 2) if is_map else one for one in outputs)
