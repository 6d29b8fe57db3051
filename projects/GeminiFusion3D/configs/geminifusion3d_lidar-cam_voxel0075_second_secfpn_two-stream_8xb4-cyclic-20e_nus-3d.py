"""GeminiFusion after every stage of a two-stream BEV backbone, both sensors in one stage.

Why: the paper fuses between the stages of a backbone, not once in front of it.
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
model = dict(
    fuser=dict(
        _delete_=True, type='GeminiTwoStreamSECOND', in_channels=_base_.fused_channels,
        out_channels=[128, 256], layer_nums=[5, 5], layer_strides=[1, 2], heads=8,
        norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01)),
    bev_backbone=None)
