"""The network of mmdet3d's CenterPoint with 0.2 m pillars, tested as there with rotated suppression.

Why: the target of the published checkpoint whose heads have no deformable convolution
(`gemini3d convert-checkpoint`). Its neck reads all three stages of the backbone.
"""
_base_ = ['./geminifusion3d_lidar_pillar02_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
model = dict(
    # Published weights were trained with raw points and capped pillars, filled up with zeros.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=20, max_voxels=[30000, 40000]),
        voxel_encoder=dict(padded_to=20), encoder=dict(with_finer=True)),
    # Of each cell, 2 x 2 values of the finer stage's 64 channels, then the 128 of the coarser.
    lidar_align=dict(in_channels=384, out_channels=384, project=False),
    bev_backbone=dict(
        _delete_=True, type='GeminiPassingSECOND', passed=[256, 128], out_channels=[256], layer_nums=[5],
        layer_strides=[2], norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)),
    bev_neck=dict(in_channels=[256, 128, 256], out_channels=[128, 128, 128], upsample_strides=[1, 1, 2]),
    bbox_head=dict(
        in_channels=384, score_threshold=0.1, nms_radius_m=None, nms_iou=0.2,
        centre_range_m=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0]))
# Published weights learned the points as mmdet3d loads them.
load_points = dict(_base_.load_points, convention='mmdet3d')
train_pipeline = [load_points if step == _base_.load_points else step for step in _base_.train_pipeline]
test_pipeline = [load_points if step == _base_.load_points else step for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
