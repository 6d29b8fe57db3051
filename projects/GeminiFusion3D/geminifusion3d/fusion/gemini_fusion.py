"""GeminiFusion: L layers of attention in both directions, then one map.

Source: Jia et al., GeminiFusion, ICML 2024, section 3.3; the two outputs are summed with softmax(alpha)
as in the official KITTI branch (point_fusion.py, at 8456609). What changes here: batched BEV maps, and
parts that can be left out, for ablations.
"""
from typing import Dict, Iterable, List, Optional, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..ops.gemini_exchange import exchange
from ..ops.gemini_reference import reference_exchange
from ..ops.gemini_weights import CAMERA, LIDAR, AttentionWeights, fold_reader
from ..ops.weighted_sum import weighted_sum
from .conv_fuser import GeminiConvFuser
from .gemini_attention import GeminiAttention, RelationScore
from .same_cells import check_same_shape

# Which modalities read the other one.
DIRECTIONS = {'both': (CAMERA, LIDAR), 'camera_from_lidar': (CAMERA, ), 'lidar_from_camera': (LIDAR, )}
MERGES = ('alpha', 'concat')


class GeminiFusionLayer(nn.Module):
    """Both directions at once; the relation network is shared, the attention and the noise are not.

    Args:
        channels: C.
        heads: attention heads.
        noise: add the learned noise to the self key and value.
        relation: score how much the two features agree; without it the cross key is the twin itself.
        directions: a key of DIRECTIONS; a modality that does not read passes unchanged.

    Raises:
        ValueError: if there is no such direction.
    """

    def __init__(self, *, channels: int, heads: int, noise: bool = True, relation: bool = True,
                 directions: str = 'both') -> None:
        super().__init__()
        if directions not in DIRECTIONS:
            raise ValueError(f'directions must be one of {", ".join(DIRECTIONS)}, got {directions!r}')
        readers = DIRECTIONS[directions]
        self.heads = heads
        self.relation = RelationScore(channels=channels) if relation else None
        self.camera_attention = GeminiAttention(channels=channels, heads=heads) if CAMERA in readers else None
        self.lidar_attention = GeminiAttention(channels=channels, heads=heads) if LIDAR in readers else None
        # Layer-adaptive noise: one learned row a modality, of this layer alone.
        self.k_noise = nn.Embedding(2, channels) if noise else None
        self.v_noise = nn.Embedding(2, channels) if noise else None

    def forward(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Returns the enriched camera and LiDAR features; each reads the other's input."""
        return self._both(camera, lidar, self._exchange(camera, lidar, shares=None))

    def merged(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c'],
               shares: Float[Tensor, ' 2']) -> Float[Tensor, '*cells c']:
        """Returns the weighed sum of the enriched features, without a map of each where that is exact.

        Args:
            camera: features.
            lidar: features.
            shares: of camera and LiDAR; must sum to 1.
        """
        if len(self._readers()) < 2:
            return weighted_sum(*self(camera, lidar), shares)
        return self._exchange(camera, lidar, shares)[0]

    def forward_by_formula(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                           ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Returns the same by the official code's formula: slower, for comparisons."""
        relation = self.relation.weights() if self.relation is not None else None
        return self._both(camera, lidar, reference_exchange(
            camera, lidar, relation, self._readers(), heads=self.heads))

    def _exchange(self, camera: Tensor, lidar: Tensor, shares: Optional[Tensor]) -> List[Tensor]:
        readers = {modality: fold_reader(weights, modality=modality, heads=self.heads,
                                         relation=self.relation is not None)
                   for modality, weights in self._readers().items()}
        relation = self.relation.weights() if self.relation is not None else None
        dtype = next(self.parameters()).dtype
        return exchange(camera, lidar, relation, readers, heads=self.heads, dtype=dtype, shares=shares)

    def _readers(self) -> Dict[int, AttentionWeights]:
        attentions = {CAMERA: self.camera_attention, LIDAR: self.lidar_attention}
        return {modality: attention.weights(
                    self.k_noise.weight[modality] if self.k_noise is not None else None,
                    self.v_noise.weight[modality] if self.v_noise is not None else None)
                for modality, attention in attentions.items() if attention is not None}

    def _both(self, camera: Tensor, lidar: Tensor, enriched: List[Tensor]) -> Tuple[Tensor, Tensor]:
        found = dict(zip(self._readers(), enriched))
        return found.get(CAMERA, camera), found.get(LIDAR, lidar)


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
        """Returns the fused map.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        if self.merge is not None:
            return self.merge(*self.exchange(camera_bev, lidar_bev))
        camera, lidar = self._exchange(camera_bev, lidar_bev, self.layers[:-1])
        return self.layers[-1].merged(camera, lidar, self.alpha.softmax(dim=0)).permute(0, 3, 1, 2)

    def exchange(self, camera_bev: Float[Tensor, 'b c y x'],
                 lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                 ) -> Tuple[Float[Tensor, 'b c y x'], Float[Tensor, 'b c y x']]:
        """Returns the camera map and the LiDAR map, each enriched by the other.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        camera, lidar = self._exchange(camera_bev, lidar_bev, self.layers)
        return camera.permute(0, 3, 1, 2), lidar.permute(0, 3, 1, 2)

    def _exchange(self, camera_bev: Tensor, lidar_bev: Tensor, layers: Iterable[GeminiFusionLayer]
                  ) -> Tuple[Tensor, Tensor]:
        """Returns both maps (B, Y, X, C) after some layers."""
        check_same_shape(camera_bev, lidar_bev)
        # Copies nothing where the maps already lie channels-last in memory.
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in layers:
            camera, lidar = layer(camera, lidar)
        return camera, lidar
