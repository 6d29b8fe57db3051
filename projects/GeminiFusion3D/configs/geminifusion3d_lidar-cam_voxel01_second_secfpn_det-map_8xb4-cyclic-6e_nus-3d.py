"""Detection and BEV map segmentation from one fused map, 0.1 m voxels: the second stage of the LiDAR recipe.

Why: two tasks for the price of one and a head; MIT's BEVFusion trains each alone.
"""
_base_ = [
    './geminifusion3d_lidar-cam_voxel01_second_secfpn_8xb4-cyclic-6e_nus-3d.py',
    './_base_/map_segmentation.py']
load_cells = dict(_base_.load_cells, data_root=_base_.data_root)
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.load_boxes, _base_.augment_images,
    _base_.augment_scene, load_cells, *_base_.in_range, dict(_base_.pack_training, type='GeminiPackInputs')]
test_pipeline = [
    _base_.load_images, _base_.load_points, _base_.resize_images, load_cells, _base_.in_range[0],
    dict(_base_.pack_testing, type='GeminiPackInputs')]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(seg_head=dict(_base_.seg_head, in_channels=512))
load_cfg = dict(missing_branches=['camera_branch', 'camera_align', 'fuser', 'seg_head'])
val_evaluator = [_base_.val_evaluator, _base_.seg_evaluator]
test_evaluator = val_evaluator
