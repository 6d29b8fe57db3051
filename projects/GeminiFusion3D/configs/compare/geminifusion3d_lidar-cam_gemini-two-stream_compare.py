"""The comparison: GeminiFusion after every stage of a two-stream BEV backbone.

Why: the paper fuses between the stages of a backbone, not once in front of it.
"""
_base_ = ['../_base_/compare.py']
model = dict(
    fuser=dict(
        _delete_=True, type='GeminiTwoStreamSECOND', in_channels=_base_.fused_channels, out_channels=[32, 64],
        layer_nums=[1, 2], layer_strides=[1, 2], heads=4, norm_cfg=_base_.norm_cfg),
    bev_backbone=None)
