"""Full-size camera-LiDAR recipe on nuScenes, trained in one stage.

It has been built and stepped, not trained: no score is claimed for it.
"""
_base_ = ['./_base_/datasets/nuscenes.py', './_base_/models/voxel0075.py', './_base_/runtime.py']
sweeps_num = 9

load_images = dict(type='GeminiLoadImages')
load_points = dict(type='GeminiLoadPoints', sweeps_num=sweeps_num)
augment_images = dict(
    type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.38, 0.55),
    crop_bottom_range=(0.0, 0.0), rotate_range_deg=(-5.4, 5.4), flip=True, training=True)
resize_images = dict(
    type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.48, 0.48))
augment_scene = dict(
    type='GeminiAugmentScene', rotate_range_rad=(-0.78539816, 0.78539816),
    scale_range=(0.9, 1.1), translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5, flip_y_prob=0.5)
in_range = [
    dict(type='PointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m),
    dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)]
train_pipeline = [
    load_images, load_points, _base_.load_boxes, augment_images, augment_scene, *in_range,
    _base_.pack_training]
test_pipeline = [load_images, load_points, resize_images, in_range[0], _base_.pack_testing]

sensors = dict(use_camera=True, use_lidar=True)
train_dataloader = dict(
    batch_size=4, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=_base_.data_root,
        ann_file='nuscenes_infos_train.pkl', modality=sensors, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=4, persistent_workers=True, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=_base_.data_root,
        ann_file='nuscenes_infos_val.pkl', modality=sensors, test_mode=True,
        load_eval_anns=False, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='GeminiNuScenesMetric', data_root=_base_.data_root, ann_file='nuscenes_infos_val.pkl',
    meta=_base_.modality)
test_evaluator = val_evaluator

# CenterPoint's cyclic schedule: up for 40 % of the training, then down.
max_epochs, lr = 20, 1e-4
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=8, eta_min=lr * 10, begin=0, end=8, by_epoch=True,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=12, eta_min=lr * 1e-4, begin=8, end=max_epochs,
         by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingMomentum', T_max=8, eta_min=0.85 / 0.95, begin=0, end=8,
         by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingMomentum', T_max=12, eta_min=1, begin=8, end=max_epochs,
         by_epoch=True, convert_to_iter_based=True)]
# The learning rate belongs to 8 processes of 4 samples; --auto-scale-lr adapts it.
auto_scale_lr = dict(enable=False, base_batch_size=32)
