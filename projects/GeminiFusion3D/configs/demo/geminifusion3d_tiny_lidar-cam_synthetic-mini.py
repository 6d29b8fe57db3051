"""The demo: camera and LiDAR, fused by GeminiFusion, learned on a CPU from a synthetic nuScenes.

Why: every step from tables to a submission, in the time of a coffee break and without a download.
"""
_base_ = ['../_base_/datasets/nuscenes.py', '../_base_/models/tiny.py', '../_base_/runtime.py']
data_root = 'data/synthetic'
# One in five, a quarter and half a second old: what moves has moved farthest in the oldest.
sweeps_num = 10

# Behind the neck: the way from the points to the head is too long for so short a training to learn speeds.
model = dict(
    motion=dict(type='GeminiSweepMotion', out_channels=96, windows_cells=[3, 5, 9, 13], above_m=-1.4))

load_images = dict(type='GeminiLoadImages', reduce=4)
load_points = dict(type='GeminiLoadPoints', sweeps_num=sweeps_num, sweep_step=5)
augment_images = dict(
    type='GeminiAugmentImages', final_hw=(128, 352), resize_range=(0.21, 0.23),
    crop_bottom_range=(0.0, 0.1), flip=False, training=True)
resize_images = dict(
    type='GeminiAugmentImages', final_hw=(128, 352), resize_range=(0.22, 0.22),
    crop_bottom_range=(0.05, 0.05))
# No mirror, which would let the traffic keep to the left: the side of the street tells headings.
augment_scene = dict(
    type='GeminiAugmentScene', rotate_range_rad=(-0.2, 0.2), scale_range=(0.97, 1.03))
in_range = [
    dict(type='PointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m),
    dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)]

train_pipeline = [
    load_images, load_points, _base_.load_boxes, augment_images, augment_scene, *in_range,
    _base_.pack_training]
test_pipeline = [load_images, load_points, resize_images, in_range[0], _base_.pack_testing]

# Of each process; the demo has two.
train_dataloader = dict(
    batch_size=1, num_workers=1, persistent_workers=True, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=data_root,
        ann_file='geminifusion3d_infos_mini_train.pkl',
        modality=dict(use_camera=True, use_lidar=True), pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1, num_workers=1, persistent_workers=True, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=data_root, ann_file='geminifusion3d_infos_mini_val.pkl',
        modality=dict(use_camera=True, use_lidar=True), test_mode=True, load_eval_anns=False,
        box_type_3d='LiDAR', pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='GeminiNuScenesMetric', data_root=data_root, ann_file='geminifusion3d_infos_mini_val.pkl',
    meta=_base_.modality)
test_evaluator = val_evaluator

# A fixed number, for others round differently in the last digits. One, because two processes learn 1.5 times
# as many samples per second on two cores as two threads.
env_cfg = dict(torch_threads=1)
max_epochs = 6
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
lr = 4e-3
optim_wrapper = dict(
    type='OptimWrapper', constructor='GeminiOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=lr, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=lr, total_steps=max_epochs, by_epoch=True,
         convert_to_iter_based=True, pct_start=0.3)]
auto_scale_lr = dict(enable=True, base_batch_size=2)
