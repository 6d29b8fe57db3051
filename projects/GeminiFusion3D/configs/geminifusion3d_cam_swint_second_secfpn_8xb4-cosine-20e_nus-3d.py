"""Cameras only: Swin-T, depth from the images alone, on cells of 0.6 m.

Why: the baseline that tells what the cameras of the fused recipe know by themselves.
"""
_base_ = [
    './_base_/datasets/nuscenes_full_size.py', './_base_/models/voxel0075.py',
    './_base_/schedules/camera_20e.py', './_base_/runtime.py']
model = dict(lidar_branch=None, lidar_align=None, fuser=None)
modality = dict(
    use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)
in_range = dict(type='ObjectRangeFilter', point_cloud_range=_base_.bev_grid.range_m)
train_pipeline = [
    _base_.load_images, _base_.load_boxes, _base_.augment_images, _base_.augment_scene, in_range,
    _base_.pack_training]
test_pipeline = [_base_.load_images, _base_.resize_images, _base_.pack_testing]
train_dataloader = dict(dataset=dict(dataset=dict(modality=modality, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
