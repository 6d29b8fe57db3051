"""Camera and LiDAR with 0.075 m voxels, trained from scratch in one stage of 20 epochs.

Why: shows what BEVFusion's two stages (the 6-epoch recipe of the same name) are worth.
"""
_base_ = [
    './_base_/datasets/nuscenes_full_size.py', './_base_/models/voxel0075.py',
    './_base_/schedules/cyclic_20e.py', './_base_/runtime.py']
in_range = [
    dict(type='GeminiPointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m),
    dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)]
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.load_boxes, _base_.augment_images,
    _base_.augment_scene, *in_range, _base_.pack_training]
test_pipeline = [
    _base_.load_images, _base_.load_points, _base_.resize_images, in_range[0], _base_.pack_testing]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
