"""Camera and LiDAR with 0.075 m voxels: the second stage, from the weights of the LiDAR recipe.

Why: the project's main recipe. BEVFusion trains in the same two stages.
"""
_base_ = [
    './_base_/datasets/nuscenes_full_size.py', './_base_/models/voxel0075.py',
    './_base_/schedules/fusion_6e.py', './_base_/runtime.py']
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
# What the first stage left; another place: --cfg-options load_from=PATH; none: load_from=None.
load_from = 'work_dirs/geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d/epoch_20.pth'
load_cfg = dict(missing_branches=['camera_branch', 'camera_align', 'fuser'])
