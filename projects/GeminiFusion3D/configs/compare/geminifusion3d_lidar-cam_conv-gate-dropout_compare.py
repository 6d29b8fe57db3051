"""The comparison: one convolution over both maps behind a reliability gate, trained with sensors that fail.

Why: whether the gate wins back what dropout costs; one of a table of four.
"""
_base_ = ['../_base_/compare_dropout.py']
model = dict(
    gate=dict(type='GeminiReliabilityGate', channels=_base_.fused_channels),
    fuser=dict(
        _delete_=True, type='GeminiConvFuser', in_channels=[_base_.fused_channels] * 2,
        out_channels=_base_.fused_channels))
