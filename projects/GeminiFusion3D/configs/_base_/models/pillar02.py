"""The full-size detector with 0.2 m pillars, in the sizes of mmdet3d's CenterPoint with pillars.

The first two stages of its dense backbone lead from pillars to cells, so that cameras meet them there.
"""
_base_ = ['../grids/pillar02_102_4m.py', './full_size.py']
model = dict(
    bev_grid=_base_.bev_grid,
    lidar_branch=dict(
        voxel_m=_base_.voxel_m,
        voxel_encoder=dict(type='GeminiPillarFeatureNet', in_channels=5, channels=[64]),
        encoder=dict(
            _delete_=True, type='GeminiPillarEncoder', in_channels=64,
            stages=dict(
                type='SECOND', out_channels=[64, 128], layer_nums=[3, 5], layer_strides=[2, 2],
                norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)))),
    lidar_align=dict(in_channels=128))
