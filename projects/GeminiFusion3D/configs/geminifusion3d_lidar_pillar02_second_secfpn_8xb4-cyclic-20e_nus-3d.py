"""LiDAR only with 0.2 m pillars: a detector of its own, and the first stage of the fused recipe.

Why: no sparse convolution runs, so that it fits where spconv does not.
"""
_base_ = [
    './_base_/datasets/nuscenes_full_size.py', './_base_/models/pillar02.py',
    './_base_/schedules/cyclic_20e.py', './_base_/runtime.py']
model = dict(camera_branch=None, camera_align=None, fuser=None)
modality = dict(
    use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
in_range = [
    dict(type='GeminiPointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m),
    dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)]
train_pipeline = [
    _base_.load_points, _base_.load_boxes, _base_.sample_objects, _base_.augment_scene, *in_range,
    _base_.pack_training]
test_pipeline = [_base_.load_points, in_range[0], _base_.pack_testing]
train_dataloader = dict(dataset=dict(dataset=dict(modality=modality, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
