"""The comparison's LiDAR-only baseline: no images.

Why: what a fuser has to beat.
"""
_base_ = ['../_base_/compare.py']
model = dict(camera_branch=None, camera_align=None, fuser=None)
modality = dict(
    use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
load_points = dict(
    type='GeminiCachedLoading', steps=_base_.load_steps[2:], folder=_base_.load_sensors.folder)
train_pipeline = [
    load_points, _base_.load_boxes, _base_.augment_scene, *_base_.in_range, _base_.pack_training]
test_pipeline = [load_points, _base_.in_range[0], _base_.pack_testing]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
