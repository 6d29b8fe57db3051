"""The comparison: addition behind a reliability gate, trained with sensors that fail.

Why: whether the gate wins back what dropout costs; one of a table of four.
"""
_base_ = ['../_base_/compare_dropout.py']
model = dict(
    gate=dict(type='GeminiReliabilityGate', channels=_base_.fused_channels),
    fuser=dict(_delete_=True, type='GeminiAddFuser', channels=_base_.fused_channels))
