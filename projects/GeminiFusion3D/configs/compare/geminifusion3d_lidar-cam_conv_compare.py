"""The comparison: one convolution over both maps.

Why: the fuser of BEVFusion, which most detectors use.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(
    _delete_=True, type='GeminiConvFuser', in_channels=[_base_.fused_channels] * 2,
    out_channels=_base_.fused_channels))
