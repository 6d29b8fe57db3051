"""The comparison: the two maps are added.

Why: the simplest fuser there is.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(_delete_=True, type='GeminiAddFuser', channels=_base_.fused_channels))
