"""The detector of the comparison: every part as small as still tells the sensors' worth apart."""
_base_ = ['../grids/compare_80m.py', './center_head.py']
fused_channels = 32
norm_cfg = dict(type='BN', eps=1e-3, momentum=0.05)
model = dict(
    type='GeminiFusion3D',
    bev_grid=_base_.bev_grid,
    data_preprocessor=dict(
        type='GeminiDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    camera_branch=dict(
        type='GeminiCameraBranch',
        backbone=dict(
            type='mmdet.ResNet', depth=18, base_channels=16, num_stages=3, out_indices=(1, 2),
            strides=(1, 2, 2), dilations=(1, 1, 1), style='pytorch', norm_eval=False),
        neck=dict(type='GeminiImageNeck', in_channels=[32, 64], out_channels=32),
        depth_range_m=[1.0, 41.0],
        depth_bins=40,
        out_channels=32,
        average=True),
    camera_align=dict(
        type='GeminiAlignBEV', in_channels=32, out_channels=fused_channels, norm_momentum=0.05),
    lidar_branch=dict(
        type='GeminiLidarBranch',
        voxel_m=_base_.voxel_m,
        encoder=dict(
            type='GeminiSparseEncoder', in_channels=5, base_channels=16, output_channels=32,
            encoder_channels=((16,), (16, 32), (32, 32)), norm_momentum=0.05,
            encoder_paddings=((1,), (1, 1), (1, 1)), block_type='conv_module')),
    lidar_align=dict(
        type='GeminiAlignBEV', in_channels=32, out_channels=fused_channels, kernel_size=1,
        norm_momentum=0.05),
    fuser=dict(type='GeminiFusion', channels=fused_channels, heads=4, layers=1),
    bev_backbone=dict(
        type='SECOND', in_channels=fused_channels, out_channels=[32, 64], layer_nums=[1, 2],
        layer_strides=[1, 2], norm_cfg=norm_cfg),
    bev_neck=dict(
        type='SECONDFPN', in_channels=[32, 64], out_channels=[32, 32], upsample_strides=[1, 2],
        norm_cfg=norm_cfg, use_conv_for_no_stride=True),
    # Two groups of classes instead of six: the head is the costliest part on a CPU.
    bbox_head=dict(
        _base_.center_head, in_channels=64, share_conv_channel=24,
        loss_bbox=dict(type='GeminiMaskedL1Loss', reduction='mean', loss_weight=0.5),
        tasks=[['car', 'truck', 'construction_vehicle', 'bus', 'trailer'],
               ['barrier', 'motorcycle', 'bicycle', 'pedestrian', 'traffic_cone']],
        nms_radius_m=[2.0, 0.5], boxes_after_nms=200,
        separate_head=dict(type='SeparateHead', head_conv=16, init_bias=-2.19, final_kernel=3)))
