"""The map segmentation of MIT's BEVFusion, camera and LiDAR.

Why: the peer to compare with, and the target of its published weights (`gemini3d convert-checkpoint`).
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel01_second_secfpn_map_8xb4-cyclic-20e_nus-3d.py']
model = dict(
    camera_branch=dict(
        type='GeminiLSSBranch', downsample=2, lift_z_m=[-10.0, 10.0], convention='bevfusion'),
    camera_align=dict(in_channels=80, out_channels=80, project=False),
    # Published weights were trained with raw points and capped voxels.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=10, max_voxels=[90000, 120000])),
    lidar_align=dict(project=False),
    fuser=dict(_delete_=True, type='GeminiConvFuser', in_channels=[80, 256], out_channels=256))
load_points = dict(_base_.load_points, convention='mmdet3d')
train_pipeline = [load_points if step == _base_.load_points else step for step in _base_.train_pipeline]
load_images = dict(_base_.load_images, reduce=1)
resize_images = dict(_base_.resize_images, resample='pillow')
test_pipeline = [
    load_points if step == _base_.load_points else load_images if step == _base_.load_images
    else resize_images if step == _base_.resize_images else step for step in _base_.test_pipeline]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
