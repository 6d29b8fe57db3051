"""The comparison: GeminiFusion that knows range and bearing of a cell.

Why: far cells have worse camera depth and fewer points, and a fuser of single cells knows no place.
"""
_base_ = ['../_base_/compare.py']
model = dict(cell_encoding=dict(type='GeminiCellEncoding', channels=_base_.fused_channels))
