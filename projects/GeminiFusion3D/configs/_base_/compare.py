"""Data, budget and schedule that every model of the comparison shares."""
_base_ = ['./datasets/nuscenes.py', './models/compare.py', './runtime.py']
data_root = 'data/compare'
sweeps_num = 0
final_hw = (96, 288)

# The pictures are decoded and made smaller once, for all runs.
load_steps = [
    dict(type='GeminiLoadImages', reduce=4),
    dict(type='GeminiAugmentImages', final_hw=(180, 320), resize_range=(0.2, 0.2)),
    dict(type='GeminiLoadPoints', sweeps_num=sweeps_num)]
load_sensors = dict(type='GeminiCachedLoading', steps=load_steps, folder=f'{data_root}/cache')
augment_images = dict(
    type='GeminiAugmentImages', final_hw=final_hw, resize_range=(0.175, 0.19),
    crop_bottom_range=(0.0, 0.1), flip=False, training=True)
resize_images = dict(
    type='GeminiAugmentImages', final_hw=final_hw, resize_range=(0.18, 0.18),
    crop_bottom_range=(0.05, 0.05))
augment_scene = dict(
    type='GeminiAugmentScene', rotate_range_rad=(-0.2, 0.2), scale_range=(0.98, 1.02),
    flip_x_prob=0.5)
in_range = [
    dict(type='PointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m),
    dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)]
train_pipeline = [
    load_sensors, _base_.load_boxes, augment_images, augment_scene, *in_range,
    _base_.pack_training]
test_pipeline = [load_sensors, resize_images, in_range[0], _base_.pack_testing]

sensors = dict(use_camera=True, use_lidar=True)
train_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=data_root, ann_file='geminifusion3d_infos_train.pkl',
        modality=sensors, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=data_root, ann_file='geminifusion3d_infos_val.pkl',
        modality=sensors, test_mode=True, load_eval_anns=False, box_type_3d='LiDAR',
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='GeminiNuScenesMetric', data_root=data_root, ann_file='geminifusion3d_infos_val.pkl',
    meta=_base_.modality)
test_evaluator = val_evaluator

# A fixed number: other numbers of threads round differently in the last digits.
env_cfg = dict(torch_threads=1)
max_epochs = 6
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs + 1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
lr = 3e-3
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01, fused=True),
    clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=lr, total_steps=max_epochs, by_epoch=True,
         convert_to_iter_based=True, pct_start=0.3)]
auto_scale_lr = dict(enable=False, base_batch_size=1)
