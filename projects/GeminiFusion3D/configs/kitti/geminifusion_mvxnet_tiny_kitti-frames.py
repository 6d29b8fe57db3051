"""The small MVX-Net with GeminiFusion on a few real KITTI frames, trained and tested on the same ones.

Why: proof that real calibration, labels and boxes fit together; its overlaps say nothing about a detector.
"""
_base_ = ['./geminifusion_mvxnet_tiny_kitti-synthetic.py']
data_root = 'data/kitti_frames'
data_prefix = dict(pts='velodyne', img='image_2')
ann_file = 'geminifusion3d_kitti_frames.pkl'
train_pipeline = [*_base_.load, _base_.load_boxes, _base_.resize, *_base_.in_range, _base_.pack_training]
train_dataloader = dict(
    batch_size=1, num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=ann_file, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(data_root=data_root, data_prefix=data_prefix, ann_file=ann_file))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=f'{data_root}/{ann_file}')
test_evaluator = val_evaluator
max_epochs = 60
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = [
    dict(type='OneCycleLR', eta_max=_base_.lr, total_steps=max_epochs, by_epoch=True,
         convert_to_iter_based=True, pct_start=0.2)]
default_hooks = dict(checkpoint=dict(interval=max_epochs))
auto_scale_lr = dict(enable=True, base_batch_size=1)
