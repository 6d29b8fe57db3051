"""GeminiFusion with the LiDAR part and head of mmdet3d's BEVFusion: a second stage from published weights.

Why: only the fuser and the lift differ from bevfusion_lidar-cam_..., and no LiDAR stage is trained.
"""
_base_ = [
    './geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py',
    './_base_/models/transfusion_head.py']
model = dict(
    # Published weights were trained with raw points and capped voxels.
    lidar_branch=dict(
        scale_features=False,
        voxelization=dict(type='GeminiHardVoxelization', max_points=10, max_voxels=[120000, 160000])),
    lidar_align=dict(project=False),
    bbox_head=dict(_delete_=True, in_channels=512, **_base_.transfusion_head))
# What `gemini3d convert-checkpoint` wrote from the published weights of BEVFusion's LiDAR stage.
load_from = 'work_dirs/bevfusion_lidar.pth'
