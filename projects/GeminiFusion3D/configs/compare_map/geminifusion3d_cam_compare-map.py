"""Map segmentation in the comparison: cameras alone.

Why: what is painted on the ground only they see.
"""
_base_ = ['../_base_/compare_map.py']
model = dict(lidar_branch=None, lidar_align=None, fuser=None)
modality = dict(
    use_camera=True, use_lidar=False, use_radar=False, use_map=False, use_external=False)
load_images = dict(
    type='GeminiCachedLoading', steps=_base_.load_steps[:2], folder=_base_.load_sensors.folder)
train_pipeline = [
    load_images, _base_.augment_images, _base_.augment_scene, _base_.load_cells, _base_.pack_training]
test_pipeline = [load_images, _base_.resize_images, _base_.load_cells, _base_.pack_testing]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
