"""The comparison: GeminiFusion behind an offset field of up to a cell.

Why: the other answer to misalignment, beside the neighbourhood: one place per cell, of any fraction.
"""
_base_ = ['../_base_/compare.py']
model = dict(offset_field=dict(
    type='GeminiOffsetField', channels=_base_.fused_channels, max_offset_m=_base_.bev_grid.cell_m,
    norm_momentum=0.05))
