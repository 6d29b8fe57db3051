"""The demo's detector on one real nuScenes keyframe, trained and tested on the same frame.

Why: proof that real calibration, poses and boxes fit together; its score says nothing about a detector.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
data_root = 'data/keyframe'
# 300 steps are too few for the usual momentum of 0.01: 5 % of the running statistics would still be
# their initial values, and the features of sparse voxels vary much less than those.
norm_momentum = 0.1
model = dict(
    camera_align=dict(norm_momentum=norm_momentum),
    lidar_branch=dict(encoder=dict(norm_momentum=norm_momentum)),
    lidar_align=dict(norm_momentum=norm_momentum),
    bev_backbone=dict(norm_cfg=dict(momentum=norm_momentum)),
    bev_neck=dict(norm_cfg=dict(momentum=norm_momentum)))
ann_file = 'geminifusion3d_infos_mini_train.pkl'
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.load_boxes, _base_.resize_images,
    *_base_.in_range, _base_.pack_training]
train_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, ann_file=ann_file, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root=data_root, ann_file=ann_file))
test_dataloader = val_dataloader
val_evaluator = dict(data_root=data_root, ann_file=ann_file)
test_evaluator = val_evaluator
max_epochs = 300
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
lr = 3e-3
optim_wrapper = dict(optimizer=dict(lr=lr))
auto_scale_lr = dict(base_batch_size=1)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=lr, total_steps=max_epochs, by_epoch=True,
         convert_to_iter_based=True, pct_start=0.2)]
default_hooks = dict(checkpoint=dict(interval=100))
