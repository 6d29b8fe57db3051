"""Map segmentation in the comparison: the two maps are added.

Why: the simplest fuser there is.
"""
_base_ = ['../_base_/compare_map.py']
model = dict(fuser=dict(_delete_=True, type='GeminiAddFuser', channels=_base_.fused_channels))
