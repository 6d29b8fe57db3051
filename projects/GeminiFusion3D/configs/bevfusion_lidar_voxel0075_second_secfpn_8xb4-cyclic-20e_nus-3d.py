"""The LiDAR-only network of mmdet3d's BEVFusion project.

Why: the target of its published weights (`gemini3d convert-checkpoint`), and a first stage.
"""
_base_ = [
    './geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
    './_base_/models/transfusion_head.py']
model = dict(
    # Published weights were trained with raw points and capped voxels.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=10, max_voxels=[120000, 160000])),
    lidar_align=dict(project=False),
    bbox_head=dict(_delete_=True, in_channels=512, **_base_.transfusion_head))
# Published weights learned the points as mmdet3d loads them.
load_points = dict(_base_.load_points, convention='mmdet3d')
train_pipeline = [load_points if step == _base_.load_points else step for step in _base_.train_pipeline]
test_pipeline = [load_points if step == _base_.load_points else step for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
