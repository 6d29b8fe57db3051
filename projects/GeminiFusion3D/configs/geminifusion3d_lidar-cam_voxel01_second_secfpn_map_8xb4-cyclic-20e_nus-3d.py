"""BEV map segmentation alone with 0.1 m voxels, camera and LiDAR trained together.

Why: the task, grids, loss and schedule of MIT's BEVFusion (62.95 mIoU), GeminiFusion as the fuser.
"""
_base_ = [
    './_base_/datasets/nuscenes_full_size.py', './_base_/models/voxel01.py', './_base_/map_segmentation.py',
    './_base_/schedules/cyclic_20e.py', './_base_/runtime.py']
load_cells = dict(_base_.load_cells, data_root=_base_.data_root)
in_range = dict(type='GeminiPointsRangeFilter', point_cloud_range=_base_.bev_grid.range_m)
train_pipeline = [
    _base_.load_images, _base_.load_points, _base_.augment_images, _base_.augment_scene, load_cells,
    in_range, dict(_base_.pack_training, type='GeminiPackInputs')]
test_pipeline = [
    _base_.load_images, _base_.load_points, _base_.resize_images, load_cells, in_range,
    dict(_base_.pack_testing, type='GeminiPackInputs')]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline, filter_empty_gt=False)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(bbox_head=None, seg_head=dict(_base_.seg_head, in_channels=512))
val_evaluator = dict(_base_.seg_evaluator, _delete_=True)
test_evaluator = val_evaluator
