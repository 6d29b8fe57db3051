"""The comparison: GeminiFusion after every stage of two BEV backbones and at every level of two necks.

Why: the streams stay apart until the head, as in the paper until its decoders.
"""
_base_ = ['../_base_/compare.py']
model = dict(
    fuser=dict(
        _delete_=True, type='GeminiTwoStreamSECOND', in_channels=_base_.fused_channels, out_channels=[32, 64],
        layer_nums=[1, 2], layer_strides=[1, 2], heads=4, norm_cfg=_base_.norm_cfg, merge=False),
    bev_backbone=None,
    bev_neck=dict(_delete_=True, type='GeminiTwoStreamFPN', in_channels=[32, 64], out_channels=[32, 32],
                  upsample_strides=[1, 2], heads=4, norm_cfg=_base_.norm_cfg, use_conv_for_no_stride=True))
