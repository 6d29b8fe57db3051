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
from typing import Callable, Optional, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from .conv_fuser import GeminiConvFuser
from .two_maps import check_same_shape, weighted_sum

CAMERA, LIDAR = 0, 1
DIRECTIONS = {'both': (CAMERA, LIDAR), 'camera_from_lidar': (CAMERA,), 'lidar_from_camera': (LIDAR,)}
MERGES = ('alpha', 'concat')
# On a CPU: what is computed between two products stays in its cache.
CELLS_PER_BLOCK = 4096


class RelationScore(nn.Module):
    """Scores channel by channel how much a cell and its twin agree; one network for both directions.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2 * channels, channels)
        self.fc2 = nn.Linear(channels, channels)

    def forward(self, own: Float[Tensor, '*cells c'], other: Float[Tensor, '*cells c']
                ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Return the scores of [own ; other] and of [other ; own]; each sums to 1 over the channels."""
        of_own, of_other = self.fc1.weight.chunk(2, dim=1)
        common = F.linear(own + other, (of_own + of_other) / 2, self.fc1.bias)
        difference = F.linear(own - other, (of_own - of_other) / 2)
        logits = [self.fc2(F.gelu(hidden)) for hidden in (common + difference, common - difference)]
        dtype = torch.promote_types(logits[0].dtype, torch.float32)
        return logits[0].softmax(-1, dtype=dtype), logits[1].softmax(-1, dtype=dtype)


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
        if channels % heads:
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
                noise_v: Optional[Float[Tensor, ' c']] = None) -> Float[Tensor, '*cells c']:
        """Return the own features plus what was read.

        Args:
            own: x.
            other: y.
            score: r, or None.
            noise_k: added to the own key's input, or None.
            noise_v: added to the own value's input, or None.
        """
        self_key = own if noise_k is None else own + noise_k
        self_value = own if noise_v is None else own + noise_v
        # Self minus twin, whose key is own * score.
        gap = self_key - other if score is None else torch.addcmul(self_key, own, score, value=-1)
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
        relation: score how much the two features agree; without it the twin's key is the twin itself.
        directions: a key of DIRECTIONS; a modality that does not read passes unchanged.

    Raises:
        ValueError: for an unknown direction.
    """

    def __init__(self, *, channels: int, heads: int, noise: bool = True, relation: bool = True,
                 directions: str = 'both') -> None:
        super().__init__()
        if directions not in DIRECTIONS:
            raise ValueError(f'directions must be one of {", ".join(DIRECTIONS)}, got {directions!r}')
        self.relation = RelationScore(channels=channels) if relation else None
        self.camera_attention, self.lidar_attention = (
            GeminiAttention(channels=channels, heads=heads) if one in DIRECTIONS[directions] else None
            for one in (CAMERA, LIDAR))
        self.k_noise = nn.Embedding(2, channels) if noise else None
        self.v_noise = nn.Embedding(2, channels) if noise else None

    def forward(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Return the enriched camera and LiDAR features; each reads the other's input."""
        scores = (None, None) if self.relation is None else self.relation(camera, lidar)
        noise = [(None, None) if self.k_noise is None or self.v_noise is None else
                 (self.k_noise.weight[row], self.v_noise.weight[row]) for row in (CAMERA, LIDAR)]
        new_camera, new_lidar = camera, lidar
        if self.camera_attention is not None:
            new_camera = self.camera_attention(camera, lidar, scores[CAMERA], *noise[CAMERA])
        if self.lidar_attention is not None:
            new_lidar = self.lidar_attention(lidar, camera, scores[LIDAR], *noise[LIDAR])
        return new_camera, new_lidar


@MODELS.register_module()
class GeminiFusion(BaseModule):
    """Fuses two aligned BEV maps cell by cell, in time linear in the number of cells.

    Args:
        channels: C of both maps and of the fused map.
        heads: attention heads; must divide C.
        layers: L, how often the two maps exchange.
        merge: how two maps become one: 'alpha', the learned sum of the official KITTI branch, or
            'concat', BEVFusion's convolution over both.
        noise: see GeminiFusionLayer.
        relation: see GeminiFusionLayer.
        directions: see GeminiFusionLayer.

    Raises:
        ValueError: if there is no layer, or merge or directions is unknown.
    """

    def __init__(self, *, channels: int, heads: int = 8, layers: int = 1, merge: str = 'alpha',
                 noise: bool = True, relation: bool = True, directions: str = 'both') -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f'GeminiFusion needs at least one layer, got layers={layers}')
        if merge not in MERGES:
            raise ValueError(f'merge must be one of {", ".join(MERGES)}, got {merge!r}')
        self.layers = nn.ModuleList(
            GeminiFusionLayer(channels=channels, heads=heads, noise=noise, relation=relation,
                              directions=directions) for _ in range(layers))
        self.alpha = nn.Parameter(torch.zeros(2)) if merge == 'alpha' else None
        self.merge = None if merge == 'alpha' else GeminiConvFuser(
            in_channels=[channels, channels], out_channels=channels)
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        if self.merge is not None:
            return self.merge(*self.exchange(camera_bev, lidar_bev))
        alpha = self.get_parameter('alpha')

        def fuse(camera: Tensor, lidar: Tensor) -> Tuple[Tensor, ...]:
            return weighted_sum(*self._exchange_cells(camera, lidar), alpha.softmax(dim=0)),
        return _cell_by_cell(fuse, camera_bev, lidar_bev)[0]

    def exchange(self, camera_bev: Float[Tensor, 'b c y x'],
                 lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                 ) -> Tuple[Float[Tensor, 'b c y x'], Float[Tensor, 'b c y x']]:
        """Return the camera map and the LiDAR map, each enriched by the other.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        new_camera, new_lidar = _cell_by_cell(self._exchange_cells, camera_bev, lidar_bev)
        return new_camera, new_lidar

    def _exchange_cells(self, camera: Float[Tensor, 'n c'], lidar: Float[Tensor, 'n c']
                        ) -> Tuple[Float[Tensor, 'n c'], Float[Tensor, 'n c']]:
        for layer in self.layers:
            camera, lidar = layer(camera, lidar)
        return camera, lidar


def _cell_by_cell(work: Callable[[Tensor, Tensor], Tuple[Tensor, ...]], camera_bev: Float[Tensor, 'b c y x'],
                  lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                  ) -> Tuple[Float[Tensor, 'b c y x'], ...]:
    """Return the maps that `work` makes of the (N, C) cells of two maps; on a CPU block after block.

    No cell sees another, so that blocks change the time alone. A compiler makes better use of the whole.
    """
    check_same_shape(camera_bev, lidar_bev)
    # Copies nothing where the maps already lie channels-last in memory.
    camera, lidar = (bev.permute(0, 2, 3, 1).flatten(0, 2) for bev in (camera_bev, lidar_bev))
    if camera.device.type != 'cpu' or torch.compiler.is_compiling():
        results = work(camera, lidar)
    else:
        blocks = [work(*block) for block in zip(camera.split(CELLS_PER_BLOCK), lidar.split(CELLS_PER_BLOCK))]
        results = tuple(torch.cat(parts) for parts in zip(*blocks))
    batch, channels, n_y, n_x = camera_bev.shape
    return tuple(cells.view(batch, n_y, n_x, channels).permute(0, 3, 1, 2) for cells in results)
