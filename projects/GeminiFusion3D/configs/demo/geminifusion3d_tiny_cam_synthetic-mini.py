"""The demo's camera-only baseline: the same budget, no points.

Why: tells what the cameras of the demo know by themselves.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(lidar_branch=None, lidar_align=None, fuser=None, motion=None)
modality = dict(
    use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)
train_pipeline = [
    _base_.load_images, _base_.load_boxes, _base_.augment_images, _base_.augment_scene,
    _base_.in_range[1], _base_.pack_training]
test_pipeline = [_base_.load_images, _base_.resize_images, _base_.pack_testing]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
