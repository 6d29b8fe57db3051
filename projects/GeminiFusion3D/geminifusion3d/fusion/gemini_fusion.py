"""GeminiFusion: L layers of attention in both directions, then one map.

Source: Jia et al., GeminiFusion, ICML 2024, section 3; the two outputs are summed with softmax(alpha)
as in the official KITTI branch (point_fusion.py).
"""
import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .gemini_attention import GeminiAttention, RelationScore

CAMERA, LIDAR = 0, 1


class GeminiFusionLayer(nn.Module):
    """Both directions at once; the relation network is shared, the attention and the noise are not.

    Args:
        channels: C.
        heads: attention heads.
    """

    def __init__(self, *, channels: int, heads: int) -> None:
        super().__init__()
        self.relation = RelationScore(channels=channels)
        self.camera_attention = GeminiAttention(channels=channels, heads=heads)
        self.lidar_attention = GeminiAttention(channels=channels, heads=heads)
        # Layer-adaptive noise: one learned row a modality, of this layer alone.
        self.k_noise = nn.Embedding(2, channels)
        self.v_noise = nn.Embedding(2, channels)

    def forward(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c']
                ) -> 'tuple[Tensor, Tensor]':
        """Returns the enriched camera and LiDAR features; each reads the other's input."""
        new_camera = self.camera_attention(
            camera, lidar, self.relation(camera, lidar),
            self.k_noise.weight[CAMERA], self.v_noise.weight[CAMERA])
        new_lidar = self.lidar_attention(
            lidar, camera, self.relation(lidar, camera),
            self.k_noise.weight[LIDAR], self.v_noise.weight[LIDAR])
        return new_camera, new_lidar


@MODELS.register_module()
class GeminiFusion(BaseModule):
    """Fuses two aligned BEV maps cell by cell, in time linear in the number of cells.

    Args:
        channels: C of both maps and of the fused map.
        heads: attention heads; must divide C.
        layers: L, how often the two maps exchange.
    """

    def __init__(self, *, channels: int, heads: int = 8, layers: int = 1) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f'GeminiFusion needs at least one layer, got layers={layers}')
        self.layers = nn.ModuleList(
            GeminiFusionLayer(channels=channels, heads=heads) for _ in range(layers))
        self.alpha = nn.Parameter(torch.zeros(2))
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Returns the fused map.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        if camera_bev.shape != lidar_bev.shape:
            raise ValueError(f'GeminiFusion fuses maps of one shape, got camera {tuple(camera_bev.shape)} '
                             f'and LiDAR {tuple(lidar_bev.shape)}; align them first')
        # Copies nothing where the maps already lie channels-last in memory.
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        for layer in self.layers:
            camera, lidar = layer(camera, lidar)
        camera_share, lidar_share = self.alpha.softmax(dim=0)
        return (camera_share * camera + lidar_share * lidar).permute(0, 3, 1, 2)
