"""Fusion by exchange: a cell that scores low is replaced by its twin; what GeminiFusion argues against.

Source: Wang et al., TokenFusion, CVPR 2022, section 3.2; its official segmentation code
(mix_transformer.py and modules.py, yikaiw/TokenFusion): a score network per modality, features scaled by
their score, a fixed threshold on the learned score, and an L1 penalty that drives scores down. What
changes here: a linear projection between the two maps, which come from different encoders here and from
one shared transformer there, and a penalty that is a mean, so that it does not grow with the map.
"""
from typing import Tuple, Union

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .two_maps import FusedBEV, WeightedSum, check_same_shape


class TokenScore(nn.Sequential):
    """Tells how much a cell has to say; a sigmoid is the softmax over two classes of the original.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(
            nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(),
            nn.Linear(channels, channels // 2), nn.GELU(),
            nn.Linear(channels // 2, channels // 4), nn.GELU(), nn.Linear(channels // 4, 1))

    def forward(self, cells: Float[Tensor, '*cells c']) -> Float[Tensor, '*cells 1']:
        """Returns scores in (0, 1); their logits reach the sigmoid in float32 under any autocast."""
        return super().forward(cells).float().sigmoid()


@MODELS.register_module()
class GeminiTokenExchange(BaseModule):
    """Exchanges cells in both directions, then sums the two maps by learned weights.

    With scores s and threshold t, and the same for the LiDAR map:

        camera' = s_camera * camera            where s_camera >= t
                  W (s_lidar * lidar)          elsewhere

    Args:
        channels: C of both maps and of the fused map; at least 4.
        threshold: scores below it are replaced; 0.02 in the official code.
        sparsity_weight: of the mean score in the loss; without it no score would have a reason to fall.

    Raises:
        ValueError: if the threshold lies outside [0, 1].
    """

    def __init__(self, *, channels: int, threshold: float = 0.02, sparsity_weight: float = 0.05) -> None:
        super().__init__()
        if not 0 <= threshold <= 1:
            raise ValueError(f'scores lie in (0, 1), got threshold={threshold}')
        self.camera_score = TokenScore(channels=channels)
        self.lidar_score = TokenScore(channels=channels)
        self.camera_from_lidar = nn.Linear(channels, channels)
        self.lidar_from_camera = nn.Linear(channels, channels)
        self.merge = WeightedSum()
        self.threshold = threshold
        self.sparsity_weight = sparsity_weight
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Union[Float[Tensor, 'b c y x'], FusedBEV]:
        """Returns the fused map; in training mode with the penalty on the scores.

        Args:
            camera_bev: the camera map.
            lidar_bev: the LiDAR map, of the same shape.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        check_same_shape(camera_bev, lidar_bev)
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        camera_score, lidar_score = self.camera_score(camera), self.lidar_score(lidar)
        camera, lidar = self.exchange(camera, lidar, camera_score, lidar_score)
        fused = self.merge(camera.permute(0, 3, 1, 2), lidar.permute(0, 3, 1, 2))
        if not self.training:
            return fused
        penalty = self.sparsity_weight * (camera_score.mean() + lidar_score.mean())
        return FusedBEV(fused, dict(loss_exchange_scores=penalty))

    def exchange(self, camera: Float[Tensor, '*cells c'], lidar: Float[Tensor, '*cells c'],
                 camera_score: Float[Tensor, '*cells 1'], lidar_score: Float[Tensor, '*cells 1']
                 ) -> Tuple[Float[Tensor, '*cells c'], Float[Tensor, '*cells c']]:
        """Returns both features after the exchange.

        Args:
            camera: features of the cells.
            lidar: features of the same cells.
            camera_score: in (0, 1), of each camera cell.
            lidar_score: in (0, 1), of each LiDAR cell.
        """
        # The factor lets the score networks learn: the choice itself has no gradient.
        camera = camera * camera_score.to(camera.dtype)
        lidar = lidar * lidar_score.to(lidar.dtype)
        return (torch.where(camera_score >= self.threshold, camera, self.camera_from_lidar(lidar)),
                torch.where(lidar_score >= self.threshold, lidar, self.lidar_from_camera(camera)))
