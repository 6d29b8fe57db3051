"""A small MVX-Net on the synthetic world in KITTI's format, learned on a CPU in minutes."""
_base_ = ['./datasets/kitti.py', './models/mvxnet_tiny.py', './runtime.py']
data_root = 'data/kitti_synthetic'
metainfo = dict(classes=_base_.class_names)
in_range = [dict(type='PointsRangeFilter', point_cloud_range=_base_.point_cloud_range),
            dict(type='ObjectRangeFilter', point_cloud_range=_base_.point_cloud_range)]
resize = dict(type='Resize', scale=(448, 136), keep_ratio=True)
train_pipeline = [
    *_base_.load, _base_.load_boxes,
    dict(type='RandomResize', scale=[(416, 128), (480, 146)], keep_ratio=True),
    dict(type='GlobalRotScaleTrans', rot_range=[-0.3, 0.3], scale_ratio_range=[0.95, 1.05],
         translation_std=[0.2, 0.2, 0.2]),
    dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.5), *in_range, _base_.pack_training]
test_pipeline = [*_base_.load, resize, in_range[0], _base_.pack_testing]
dataset = dict(
    type='GeminiKittiDataset', data_root=data_root, data_prefix=_base_.data_prefix, modality=_base_.modality,
    metainfo=metainfo, box_type_3d='LiDAR')
train_dataloader = dict(
    batch_size=2, num_workers=1, persistent_workers=True, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(dataset, ann_file='geminifusion3d_kitti_train.pkl', pipeline=train_pipeline,
                 filter_empty_gt=False))
val_dataloader = dict(
    batch_size=1, num_workers=1, persistent_workers=True, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, ann_file='geminifusion3d_kitti_val.pkl', pipeline=test_pipeline, test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='GeminiKittiMetric', ann_file=f'{data_root}/geminifusion3d_kitti_val.pkl')
test_evaluator = val_evaluator

max_epochs = 6
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
env_cfg = dict(torch_threads=1)
lr = 3e-3
optim_wrapper = dict(
    type='OptimWrapper', constructor='GeminiOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01), clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=lr, total_steps=max_epochs, by_epoch=True, convert_to_iter_based=True,
         pct_start=0.3)]
auto_scale_lr = dict(enable=True, base_batch_size=2)
# mmdet3d's dataset draws from the workers' generators and counts no epochs.
custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'GeminiEpochHook']
