"""Pillars to a BEV map: scattered onto a fine map, then strided convolutions down to the grid.

Source: mmdet3d 1.4.0 PointPillarsScatter and SECOND (PointPillars, Lang et al., CVPR 2019). Difference: the
first stages of the dense backbone belong to the branch, so that its map lies on the same grid as the
camera's.
"""
from math import prod
from typing import Any, Dict, Sequence

from jaxtyping import Float, Int
from mmdet3d.models.middle_encoders import PointPillarsScatter
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

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

    Raises:
        ValueError: if pillars and strides do not lead to the grid's cells.
    """

    def __init__(self, *, in_channels: int, bev_grid: BEVGrid, voxel_m: Sequence[float],
                 stages: Dict[str, Any]) -> None:
        super().__init__()
        self.bev_grid = bev_grid
        self.n_voxels_xyz = bev_grid.cells_per_voxel_axis(voxel_m, prod(stages['layer_strides']))
        n_x, n_y, n_z = self.n_voxels_xyz
        if n_z != 1:
            raise ValueError(f'a pillar spans the height of the grid, {bev_grid.range_m[2]}..'
                             f'{bev_grid.range_m[5]} m, got voxel_m[2] = {voxel_m[2]} m')
        self.scatter = PointPillarsScatter(in_channels, output_shape=[n_y, n_x])
        self.stages = MODELS.build({**stages, 'in_channels': in_channels})
        self.out_channels = stages['out_channels'][-1]

    def forward(self, pillar_features: Float[Tensor, 'm c_in'], coordinates_bzyx: Int[Tensor, 'm 4'],
                batch_size: int) -> Float[Tensor, '{batch_size} c y x']:
        """Returns the LiDAR BEV, also of empty clouds.

        Args:
            pillar_features: one row per pillar.
            coordinates_bzyx: batch, z, y, x of the pillars.
            batch_size: B, also counting empty clouds.
        """
        return self.stages(self.scatter(pillar_features, coordinates_bzyx, batch_size))[-1]
