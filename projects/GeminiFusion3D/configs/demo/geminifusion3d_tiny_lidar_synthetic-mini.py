"""The demo's LiDAR-only baseline: the same budget, no images.

Why: the baseline that the cameras of the demo have to beat.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(camera_branch=None, camera_align=None, fuser=None)
modality = dict(
    use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
train_pipeline = [
    _base_.load_points, _base_.load_boxes, _base_.augment_scene, *_base_.in_range,
    _base_.pack_training]
test_pipeline = [_base_.load_points, _base_.in_range[0], _base_.pack_testing]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
