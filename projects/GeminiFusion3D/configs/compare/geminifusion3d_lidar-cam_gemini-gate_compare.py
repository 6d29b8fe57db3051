"""The comparison: GeminiFusion behind a reliability gate.

Why: a gate sees both maps of a cell and which sensors there are; one of a table of four.
"""
_base_ = ['../_base_/compare.py']
model = dict(
    gate=dict(type='GeminiReliabilityGate', channels=_base_.fused_channels))
