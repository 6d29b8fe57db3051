"""Map segmentation in the comparison: the LiDAR alone.

Why: the heights of kerbs and its intensities, but no paint of the pictures.
"""
_base_ = ['../_base_/compare_map.py']
model = dict(camera_branch=None, camera_align=None, fuser=None)
modality = dict(
    use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)
load_points = dict(
    type='GeminiCachedLoading', steps=_base_.load_steps[2:], folder=_base_.load_sensors.folder)
train_pipeline = [
    load_points, _base_.augment_scene, _base_.load_cells, _base_.in_range[0], _base_.pack_training]
test_pipeline = [load_points, _base_.load_cells, _base_.in_range[0], _base_.pack_testing]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
