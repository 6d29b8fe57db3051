"""The comparison: one convolution over both maps, trained with sensors that fail.

Why: what dropout costs a fuser with all sensors, and what it saves without; one of a table of four.
"""
_base_ = ['../_base_/compare_dropout.py']
model = dict(fuser=dict(
        _delete_=True, type='GeminiConvFuser', in_channels=[_base_.fused_channels] * 2,
        out_channels=_base_.fused_channels))
