"""The camera-LiDAR network of mmdet3d's BEVFusion project.

Why: the peer to compare with, and the target of its published weights (`gemini3d convert-checkpoint`).
As there, the last LiDAR return wins a pixel of the depth image, and pixel coordinates are corners.
"""
_base_ = [
    './geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py',
    './_base_/models/transfusion_head.py']
model = dict(
    camera_branch=dict(
        type='GeminiDepthLSSBranch', downsample=2, lift_z_m=[-10.0, 10.0], convention='bevfusion',
        depth_image='last'),
    camera_align=dict(in_channels=80, out_channels=80, project=False),
    # Published weights were trained with raw points and capped voxels.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=10, max_voxels=[120000, 160000])),
    lidar_align=dict(project=False),
    fuser=dict(_delete_=True, type='GeminiConvFuser', in_channels=[80, 256], out_channels=256),
    bbox_head=dict(
        _delete_=True, in_channels=512, centre_range_m=[-61.2, -61.2, -10.0, 61.2, 61.2, 10.0],
        **_base_.transfusion_head))
load_from = 'work_dirs/bevfusion_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d/epoch_20.pth'
# As the leaderboard counts: the published image backbone learned boxes and masks of nuImages first.
external_data = 'image backbone pretrained on nuImages'
modality = dict(use_external=True)
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
# Published weights learned the points as mmdet3d loads them, and pictures of full size that Pillow made
# smaller; in training pictures are turned as well, and then interpolated once.
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
