"""The comparison: GeminiFusion whose LiDAR cells look for their twin among 3 x 3 camera cells.

Why: camera maps are smeared and miscalibrated, and the formula sees one cell of them.
"""
_base_ = ['../_base_/compare.py']
model = dict(offset_field=dict(
    type='GeminiNeighbourhood', channels=_base_.fused_channels, reach_m=_base_.bev_grid.cell_m))
