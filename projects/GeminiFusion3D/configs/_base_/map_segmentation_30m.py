"""BEV map segmentation of the demo: the six classes in 120 x 120 cells of 0.5 m.

Within 30 m the small cameras still show what is painted on the ground.
"""
_base_ = ['./map_segmentation.py']
cell_grid = dict(range_m=[-30.0, -30.0, -3.0, 30.0, 30.0, 3.0], cell_m=0.5)
load_cells = dict(cell_grid=cell_grid)
seg_head = dict(cell_grid=cell_grid, in_channels=96, channels=48)
