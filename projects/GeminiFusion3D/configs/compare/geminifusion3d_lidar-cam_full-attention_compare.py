"""The comparison: cross-attention of every cell with every cell.

Why: what GeminiFusion's two keys per cell replace; its cost grows with the square of the cells.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(
    _delete_=True, type='GeminiCrossAttention', channels=_base_.fused_channels, heads=4))
