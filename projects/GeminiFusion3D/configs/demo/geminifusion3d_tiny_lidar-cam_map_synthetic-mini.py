"""The demo's model segments the map instead of detecting.

Why: BEV map segmentation, learned on a CPU.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py', '../_base_/map_segmentation_30m.py']
load_cells = dict(_base_.load_cells, data_root=_base_.data_root)
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.augment_images, _base_.augment_scene, load_cells,
    _base_.in_range[0], dict(_base_.pack_training, type='GeminiPackInputs')]
test_pipeline = [
    _base_.load_images, _base_.load_points, _base_.resize_images, load_cells, _base_.in_range[0],
    dict(_base_.pack_testing, type='GeminiPackInputs')]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, filter_empty_gt=False))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(bbox_head=None, seg_head=_base_.seg_head)
val_evaluator = dict(_base_.seg_evaluator, _delete_=True)
test_evaluator = val_evaluator
