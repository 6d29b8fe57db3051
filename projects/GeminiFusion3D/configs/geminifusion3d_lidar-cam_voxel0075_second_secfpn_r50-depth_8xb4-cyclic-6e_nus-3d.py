"""The second stage with ResNet-50 in place of Swin-T, and a depth that learns from the LiDAR's.

Why: a cheaper image branch, and the camera part of the camera-only recipe with depth.
"""
_base_ = [
    './geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py',
    './_base_/models/camera/resnet50.py']
model = dict(
    camera_branch=dict(
        backbone=dict(_delete_=True, **_base_.camera_resnet50.backbone),
        neck=_base_.camera_resnet50.neck,
        depth_loss_weight=3.0))
