"""MVX-Net as mmdet3d trains it on KITTI, by parts that need no compiled operator.

Source: mmdet3d 1.4.0 configs/mvxnet; its published weights have the same names.
"""
_base_ = ['../grids/kitti_70m.py', './kitti_anchors.py']
x_min, y_min, _, x_max, y_max, _ = _base_.point_cloud_range
fusion_layer = dict(
    type='PointFusion', img_channels=256, pts_channels=64, mid_channels=128, out_channels=128,
    img_levels=[0, 1, 2, 3, 4], align_corners=False, activate_out=True, fuse_out=False)
model = dict(
    type='DynamicMVXFasterRCNN',
    data_preprocessor=dict(
        type='GeminiMVXPreprocessor', voxel=True, voxel_type='dynamic',
        voxel_layer=dict(max_num_points=-1, point_cloud_range=_base_.point_cloud_range,
                         voxel_size=_base_.voxel_size, max_voxels=(-1, -1)),
        mean=[102.9801, 115.9465, 122.7717], std=[1.0, 1.0, 1.0], bgr_to_rgb=False, pad_size_divisor=32),
    img_backbone=dict(
        type='mmdet.ResNet', depth=50, num_stages=4, out_indices=(0, 1, 2, 3), frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=False), norm_eval=True, style='caffe'),
    # Batch norms keep the picture's features from growing until losses are NaN.
    img_neck=dict(
        type='mmdet.FPN', in_channels=[256, 512, 1024, 2048], out_channels=256,
        norm_cfg=dict(type='BN', requires_grad=False), num_outs=5),
    pts_voxel_encoder=dict(
        type='GeminiDynamicVFE', in_channels=4, feat_channels=[64, 64], voxel_size=_base_.voxel_size,
        point_cloud_range=_base_.point_cloud_range, fusion_layer=fusion_layer),
    pts_middle_encoder=dict(
        type='GeminiMVXSparseEncoder', in_channels=128, sparse_shape=_base_.sparse_shape,
        order=('conv', 'norm', 'act')),
    pts_backbone=dict(
        type='SECOND', in_channels=256, layer_nums=[5, 5], layer_strides=[1, 2], out_channels=[128, 256]),
    pts_neck=dict(type='SECONDFPN', in_channels=[128, 256], upsample_strides=[1, 2], out_channels=[256, 256]),
    pts_bbox_head=dict(
        _base_.anchor_head, in_channels=512, feat_channels=512,
        anchor_generator=dict(
            type='Anchor3DRangeGenerator', sizes=_base_.anchor_sizes, rotations=[0, 1.57], reshape_out=False,
            ranges=[[x_min, y_min, bottom, x_max, y_max, bottom] for bottom in _base_.anchor_bottoms_m])),
    train_cfg=dict(pts=dict(assigner=_base_.assigners, allowed_border=0, pos_weight=-1, debug=False)),
    test_cfg=dict(pts=dict(use_rotate_nms=True, nms_across_levels=False, nms_thr=0.01, score_thr=0.1,
                           min_bbox_size=0, nms_pre=100, max_num=50)))
