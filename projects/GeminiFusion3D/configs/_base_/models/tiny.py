"""A detector small enough to learn on two CPU cores, with the modules of the full-size recipes."""
_base_ = ['../grids/tiny_100m.py', './center_head.py']
fused_channels = 48
model = dict(
    type='GeminiFusion3D',
    bev_grid=_base_.bev_grid,
    data_preprocessor=dict(
        type='GeminiDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    camera_branch=dict(
        type='GeminiCameraBranch',
        backbone=dict(
            type='mmdet.ResNet', depth=18, base_channels=24, num_stages=3, out_indices=(1, 2),
            strides=(1, 2, 2), dilations=(1, 1, 1), style='pytorch', norm_eval=False),
        neck=dict(type='GeminiImageNeck', in_channels=[48, 96], out_channels=48),
        depth_range_m=[1.0, 51.0],
        depth_bins=50,
        out_channels=40,
        average=True),
    camera_align=dict(type='GeminiAlignBEV', in_channels=40, out_channels=fused_channels),
    lidar_branch=dict(
        type='GeminiLidarBranch',
        voxel_m=_base_.voxel_m,
        encoder=dict(
            type='GeminiSparseEncoder', in_channels=5, base_channels=16, output_channels=32,
            encoder_channels=((16, 16), (16, 32), (32, 48)),
            encoder_paddings=((1, 1), (1, 1), (1, 1)), block_type='conv_module')),
    lidar_align=dict(
        type='GeminiAlignBEV', in_channels=32, out_channels=fused_channels, kernel_size=1),
    fuser=dict(type='GeminiFusion', channels=fused_channels, heads=4, layers=1),
    bev_backbone=dict(
        type='SECOND', in_channels=fused_channels, out_channels=[48, 96], layer_nums=[1, 3],
        layer_strides=[1, 2], norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)),
    bev_neck=dict(
        type='SECONDFPN', in_channels=[48, 96], out_channels=[48, 48], upsample_strides=[1, 2],
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01), use_conv_for_no_stride=True),
    # The head is the costliest part on a CPU: four groups of classes, so that frequent ones do not drown the
    # others, and one convolution less for what a cell shows at once. Velocities count more than in full-size
    # recipes, which learn longer.
    bbox_head=dict(
        _base_.center_head, in_channels=96, share_conv_channel=32,
        common_heads=dict(reg=(2, 1), height=(1, 1), dim=(3, 1), rot=(2, 2), vel=(2, 2)),
        loss_bbox=dict(type='GeminiMaskedL1Loss', reduction='mean', loss_weight=0.5),
        code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.8, 0.8],
        tasks=[['car'], ['truck', 'construction_vehicle', 'bus', 'trailer'],
               ['barrier', 'motorcycle', 'bicycle'], ['pedestrian', 'traffic_cone']],
        nms_radius_m=[2.0, 3.0, 0.9, 0.5], boxes_after_nms=125,
        separate_head=dict(type='SeparateHead', head_conv=32, init_bias=-2.19, final_kernel=3)))
