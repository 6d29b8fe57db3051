"""The network of mmdet3d's CenterPoint with 0.075 m voxels, tested as there with rotated suppression.

Why: the target of the published checkpoints whose heads have no deformable convolution
(`gemini3d convert-checkpoint`), and a first stage.
"""
_base_ = ['./geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
model = dict(
    # Published weights were trained with raw points and capped voxels.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=10, max_voxels=[90000, 120000])),
    lidar_align=dict(project=False),
    bbox_head=dict(
        score_threshold=0.1, nms_radius_m=None, nms_iou=0.2,
        centre_range_m=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0]))
# Published weights learned the points as mmdet3d loads them.
load_points = dict(_base_.load_points, convention='mmdet3d')
train_pipeline = [load_points if step == _base_.load_points else step for step in _base_.train_pipeline]
test_pipeline = [load_points if step == _base_.load_points else step for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
