"""The demo's model detects and segments the map, from one fused map.

Why: two tasks share all but their heads; both are scored in one run.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py', '../_base_/map_segmentation_30m.py']
load_cells = dict(_base_.load_cells, data_root=_base_.data_root)
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.load_boxes, _base_.augment_images, _base_.augment_scene,
    load_cells, *_base_.in_range, dict(_base_.pack_training, type='GeminiPackInputs')]
test_pipeline = [
    _base_.load_images, _base_.load_points, _base_.resize_images, load_cells, _base_.in_range[0],
    dict(_base_.pack_testing, type='GeminiPackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(seg_head=_base_.seg_head)
val_evaluator = [_base_.val_evaluator, _base_.seg_evaluator]
test_evaluator = val_evaluator
