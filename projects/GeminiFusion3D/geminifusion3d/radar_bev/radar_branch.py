"""The radar branch: returns -> pillars of one cell each -> pillar network -> convolutions -> radar BEV.

The LiDAR branch's own parts (PointPillars, Lang et al., CVPR 2019): a radar gives some hundred returns whose
height means little, so that a pillar is as wide as a cell and the convolutions carry its features around.
"""
from mmdet3d.registry import MODELS

from ..geometry.bev_grid import BEVGrid
from ..lidar_bev.lidar_branch import LidarBranch
from ..radar_files import RADAR_COLUMNS

# What becomes 1: 30 dBsm is a truck, 15 m/s is a car in town; the lag is seconds already.
FEATURE_SCALES = dict(rcs=30.0, vx=15.0, vy=15.0)


@MODELS.register_module(name='GeminiRadarBranch')
class RadarBranch(LidarBranch):
    """Encodes a batch of radar clouds of any size, empty ones included.

    Args:
        bev_grid: the model's grid.
        channels: of the map.
        layers: convolutions of 3 x 3 cells.
        norm_momentum: of the batch norms' running statistics; raise it for a very short training.
    """

    def __init__(self, *, bev_grid: BEVGrid, channels: int = 64, layers: int = 4,
                 norm_momentum: float = 0.01) -> None:
        low_z_m, high_z_m = bev_grid.range_m[2], bev_grid.range_m[5]
        super().__init__(
            bev_grid=bev_grid, voxel_m=(bev_grid.cell_m, bev_grid.cell_m, high_z_m - low_z_m),
            voxel_encoder=dict(
                type='GeminiPillarFeatureNet', in_channels=len(RADAR_COLUMNS), channels=[channels],
                feature_scales=[FEATURE_SCALES.get(name, 1.0) for name in RADAR_COLUMNS[3:]],
                norm_momentum=norm_momentum),
            encoder=dict(
                type='GeminiPillarEncoder', in_channels=channels,
                stages=dict(type='SECOND', out_channels=[channels], layer_nums=[layers - 1],
                            layer_strides=[1], norm_cfg=dict(type='BN', eps=1e-3, momentum=norm_momentum))))
