"""The comparison: cross-attention in windows of 8 x 8 cells.

Why: the usual way to afford attention; sees more than GeminiFusion's one cell, less than all.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(
    _delete_=True, type='GeminiCrossAttention', channels=_base_.fused_channels, heads=4, window=8))
