"""Cameras only: ResNet-50 in place of Swin-T, and a depth that learns from the LiDAR of the keyframe.

Why: supervised depth is what camera-only detectors gain most by. It is tested without points.
"""
_base_ = [
    './geminifusion3d_cam_swint_second_secfpn_8xb4-cosine-20e_nus-3d.py',
    './_base_/models/camera/resnet50.py']
model = dict(
    camera_branch=dict(
        backbone=dict(_delete_=True, **_base_.camera_resnet50.backbone),
        neck=_base_.camera_resnet50.neck,
        depth_loss_weight=3.0))
# Sweeps would smear what moves.
load_points = dict(type='GeminiLoadPoints', sweeps_num=0)
train_pipeline = [
    _base_.load_images, load_points, _base_.load_boxes, _base_.augment_images, _base_.augment_scene,
    _base_.in_range, _base_.pack_training]
train_dataloader = dict(
    dataset=dict(dataset=dict(modality=dict(use_lidar=True), pipeline=train_pipeline)))
