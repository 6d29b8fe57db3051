"""MVX-Net small enough to learn on two CPU cores: ResNet-18, voxels of 20 cm, cells of 80 cm."""
_base_ = ['../grids/kitti_51m.py', './kitti_anchors.py']
x_min, y_min, _, x_max, y_max, _ = _base_.point_cloud_range
# Few steps: with the usual momentum of 0.01 the running statistics would still hold their initial values.
norm_momentum = 0.1
norm = dict(eps=1e-3, momentum=norm_momentum)
fusion_layer = dict(
    type='PointFusion', img_channels=32, pts_channels=32, mid_channels=32, out_channels=32,
    img_levels=[0, 1, 2], align_corners=False, activate_out=True, fuse_out=False)
model = dict(
    type='DynamicMVXFasterRCNN',
    data_preprocessor=dict(
        type='GeminiMVXPreprocessor', voxel=True, voxel_type='dynamic',
        voxel_layer=dict(max_num_points=-1, point_cloud_range=_base_.point_cloud_range,
                         voxel_size=_base_.voxel_size, max_voxels=(-1, -1)),
        mean=[103.53, 116.28, 123.675], std=[57.375, 57.12, 58.395], bgr_to_rgb=False, pad_size_divisor=32),
    img_backbone=dict(
        type='mmdet.ResNet', depth=18, base_channels=24, num_stages=3, out_indices=(0, 1, 2),
        strides=(1, 2, 2), dilations=(1, 1, 1), style='pytorch', norm_eval=False),
    img_neck=dict(
        type='mmdet.FPN',
        in_channels=[
            24,
            48,
            96],
        out_channels=32,
        norm_cfg=dict(type='BN'),
        num_outs=3),
    pts_voxel_encoder=dict(
        type='GeminiDynamicVFE', in_channels=4, feat_channels=[32, 32], voxel_size=_base_.voxel_size,
        point_cloud_range=_base_.point_cloud_range, fusion_layer=fusion_layer, norm_momentum=norm_momentum),
    pts_middle_encoder=dict(
        type='GeminiMVXSparseEncoder', in_channels=32, sparse_shape=_base_.sparse_shape,
        order=('conv', 'norm', 'act'), norm_cfg=dict(type='BN1d', **norm),
        base_channels=16, output_channels=32,
        encoder_channels=((16, ), (32, 32), (48, 48)), encoder_paddings=((1, ), (1, 1), (1, 1)),
        block_type='conv_module'),
    pts_backbone=dict(
        type='SECOND', in_channels=64, layer_nums=[2, 3], layer_strides=[1, 2], out_channels=[48, 96],
        norm_cfg=dict(type='BN', **norm)),
    pts_neck=dict(type='SECONDFPN', in_channels=[48, 96], upsample_strides=[1, 2], out_channels=[48, 48],
                  norm_cfg=dict(type='BN', **norm)),
    pts_bbox_head=dict(
        _base_.anchor_head, in_channels=96, feat_channels=96,
        # In the middle of cells: on this coarse grid pedestrians would fall between the usual anchors.
        anchor_generator=dict(
            type='AlignedAnchor3DRangeGenerator', sizes=_base_.anchor_sizes, rotations=[0, 1.57],
            reshape_out=False,
            ranges=[[x_min, y_min, bottom, x_max, y_max, bottom] for bottom in [-1.7, -1.7, -1.78]])),
    train_cfg=dict(pts=dict(assigner=_base_.assigners, allowed_border=0, pos_weight=-1, debug=False)),
    test_cfg=dict(pts=dict(use_rotate_nms=True, nms_across_levels=False, nms_thr=0.01, score_thr=0.05,
                           min_bbox_size=0, nms_pre=200, max_num=100)))
