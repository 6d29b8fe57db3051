"""MVX-Net's recipe for KITTI: mmdet3d's augmentation, and 40 epochs over the doubled dataset."""
_base_ = ['./datasets/kitti.py', './models/mvxnet.py', './runtime.py']
metainfo = dict(classes=_base_.class_names)
in_range = [dict(type='PointsRangeFilter', point_cloud_range=_base_.point_cloud_range),
            dict(type='ObjectRangeFilter', point_cloud_range=_base_.point_cloud_range)]
train_pipeline = [
    *_base_.load, _base_.load_boxes,
    dict(type='RandomResize', scale=[(640, 192), (2560, 768)], keep_ratio=True),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.78539816, 0.78539816], scale_ratio_range=[0.95, 1.05],
         translation_std=[0.2, 0.2, 0.2]),
    dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5), *in_range, dict(type='PointShuffle'),
    _base_.pack_training]
test_pipeline = [
    *_base_.load, dict(type='Resize', scale=(1280, 384), keep_ratio=True), in_range[0], _base_.pack_testing]
dataset = dict(
    type='GeminiKittiDataset', data_root=_base_.data_root, data_prefix=_base_.data_prefix,
    modality=_base_.modality, metainfo=metainfo, box_type_3d='LiDAR')
train_dataloader = dict(
    batch_size=2, num_workers=2, persistent_workers=True, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='RepeatDataset', times=2, dataset=dict(
        dataset, ann_file='geminifusion3d_kitti_train.pkl', pipeline=train_pipeline, filter_empty_gt=False)))
val_dataloader = dict(
    batch_size=1, num_workers=1, persistent_workers=True, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, ann_file='geminifusion3d_kitti_val.pkl', pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='GeminiKittiMetric', ann_file=f'{_base_.data_root}/geminifusion3d_kitti_val.pkl')
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', constructor='GeminiOptimWrapperConstructor', precision='fp32',
    optimizer=dict(type='AdamW', lr=0.003, weight_decay=0.01, betas=(0.95, 0.99)),
    clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', begin=0, T_max=40, end=40, by_epoch=True, eta_min=1e-5)]
auto_scale_lr = dict(enable=True, base_batch_size=16)
# Camera branch of COCO; mmdet3d loads what fits and leaves the rest.
load_from = ('https://download.openmmlab.com/mmdetection3d/pretrain_models/mvx_faster_rcnn_detectron2-caffe_'
             '20e_coco-pretrain_gt-sample_kitti-3-class_moderate-79.3_20200207-a4a6a3c7.pth')
load_cfg = dict(
    missing_branches=['pts_voxel_encoder', 'pts_middle_encoder', 'pts_backbone', 'pts_neck', 'pts_bbox_head'],
    max_differing=1000)
# mmdet3d's dataset draws from the workers' generators and counts no epochs.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'GeminiEpochHook']
