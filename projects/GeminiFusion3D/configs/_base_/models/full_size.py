"""The full-size detector on any grid: Swin-T at 256x704, sparse encoder, GeminiFusion, SECOND, CenterPoint.

A file of this folder adds the grid and the voxel size.
"""
_base_ = ['./camera/swin_tiny.py', './center_head.py']
fused_channels = 256
model = dict(
    type='GeminiFusion3D',
    data_preprocessor=dict(
        type='GeminiDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    camera_branch=dict(
        type='GeminiCameraBranch',
        **_base_.camera_swin_tiny,
        depth_range_m=[1.0, 60.0],
        depth_bins=118,
        out_channels=80),
    camera_align=dict(type='GeminiAlignBEV', in_channels=80, out_channels=fused_channels),
    lidar_branch=dict(
        type='GeminiLidarBranch',
        encoder=dict(
            type='GeminiSparseEncoder', in_channels=5, base_channels=16, output_channels=128,
            encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
            encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (0, 1, 1)), (0, 0)),
            block_type='basicblock')),
    lidar_align=dict(type='GeminiAlignBEV', in_channels=256, out_channels=fused_channels),
    fuser=dict(type='GeminiFusion', channels=fused_channels, heads=8, layers=1),
    bev_backbone=dict(
        type='SECOND', in_channels=fused_channels, out_channels=[128, 256], layer_nums=[5, 5],
        layer_strides=[1, 2], norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)),
    bev_neck=dict(
        type='SECONDFPN', in_channels=[128, 256], out_channels=[256, 256], upsample_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01), use_conv_for_no_stride=True),
    bbox_head=dict(_base_.center_head, in_channels=512))
