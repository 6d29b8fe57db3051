"""Pillars to a BEV map: scattered onto a fine map, then strided convolutions down to the grid.

Source: mmdet3d 1.4.0 PointPillarsScatter and SECOND (PointPillars, Lang et al., CVPR 2019). Difference: the
first stages of the dense backbone belong to the branch, so that its map lies on the same grid as the
camera's. For published weights, whose neck reads the finer stages too, these go along with it.
"""
from math import prod
from typing import Any, Dict, Sequence, Tuple

import torch
from jaxtyping import Float, Int
from mmdet3d.models.backbones import SECOND
from mmdet3d.models.middle_encoders import PointPillarsScatter
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid


@MODELS.register_module(name='GeminiPillarEncoder')
class PillarEncoder(BaseModule):
    """Scatters pillars and runs the dense stages that lead from pillars to cells.

    Args:
        in_channels: features per pillar.
        bev_grid: the grid that its output must have.
        voxel_m: pillar size along x, y, z; z spans the grid's whole height.
        stages: config of a SECOND without in_channels; the product of its strides is the number of pillars
            along the side of a cell.
        with_finer: put the finer stages' maps before the last one, the values of a cell side by side as
            channels, for GeminiPassingSECOND.

    Raises:
        ValueError: if pillars and strides do not lead to the grid's cells.
    """

    def __init__(self, *, in_channels: int, bev_grid: BEVGrid, voxel_m: Sequence[float],
                 stages: Dict[str, Any], with_finer: bool = False) -> None:
        super().__init__()
        self.bev_grid = bev_grid
        self.n_voxels_xyz = bev_grid.cells_per_voxel_axis(voxel_m, prod(stages['layer_strides']))
        n_x, n_y, n_z = self.n_voxels_xyz
        if n_z != 1:
            raise ValueError(f'a pillar spans the height of the grid, {bev_grid.range_m[2]}..'
                             f'{bev_grid.range_m[5]} m, got voxel_m[2] = {voxel_m[2]} m')
        self.scatter = PointPillarsScatter(in_channels, output_shape=[n_y, n_x])
        self.stages = MODELS.build({**stages, 'in_channels': in_channels})
        self.with_finer = with_finer
        self.out_channels = stages['out_channels'][-1]
        if with_finer:
            strides = stages['layer_strides']
            self.out_channels = sum(width * prod(strides[stage + 1:]) ** 2
                                    for stage, width in enumerate(stages['out_channels']))

    def forward(self, pillar_features: Float[Tensor, 'm c_in'], coordinates_bzyx: Int[Tensor, 'm 4'],
                batch_size: int) -> Float[Tensor, '{batch_size} c y x']:
        """Returns the LiDAR BEV, also of empty clouds.

        Args:
            pillar_features: one row per pillar.
            coordinates_bzyx: batch, z, y, x of the pillars.
            batch_size: B, also counting empty clouds.
        """
        levels = self.stages(self.scatter(pillar_features, coordinates_bzyx, batch_size))
        if not self.with_finer:
            return levels[-1]
        n_x = levels[-1].shape[-1]
        return torch.cat([F.pixel_unshuffle(level, level.shape[-1] // n_x) for level in levels], dim=1)


@MODELS.register_module(name='GeminiPassingSECOND')
class PassingSECOND(SECOND):
    """mmdet3d's SECOND, whose input also goes to the neck, in parts; it reads the last part.

    Args:
        passed: channels of the parts.
        **kwargs: arguments of SECOND without in_channels.
    """

    def __init__(self, *, passed: Sequence[int], **kwargs: Any) -> None:
        super().__init__(in_channels=passed[-1], **kwargs)
        self.passed = list(passed)

    def forward(self, x: Float[Tensor, 'b c y x']) -> Tuple[Tensor, ...]:
        """Returns the parts, finest first, then the stages' maps.

        Args:
            x: the map of a PillarEncoder with its finer stages.
        """
        parts = x.split(self.passed, dim=1)
        return (*parts, *super().forward(parts[-1]))
