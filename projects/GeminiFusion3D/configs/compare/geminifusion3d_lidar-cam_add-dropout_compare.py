"""The comparison: addition, trained with sensors that fail.

Why: what dropout costs a fuser with all sensors, and what it saves without; one of a table of four.
"""
_base_ = ['../_base_/compare_dropout.py']
model = dict(fuser=dict(_delete_=True, type='GeminiAddFuser', channels=_base_.fused_channels))
