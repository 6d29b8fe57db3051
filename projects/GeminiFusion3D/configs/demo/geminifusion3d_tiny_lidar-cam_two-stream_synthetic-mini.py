"""The demo with GeminiFusion after every stage of a two-stream BEV backbone.

Why: the paper fuses between the stages of an image backbone, not once in front of it.
"""
_base_ = ['./geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(
    fuser=dict(
        _delete_=True, type='GeminiTwoStreamSECOND', in_channels=_base_.fused_channels, out_channels=[48, 96],
        layer_nums=[1, 3], layer_strides=[1, 2], heads=4, norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)),
    bev_backbone=None)
