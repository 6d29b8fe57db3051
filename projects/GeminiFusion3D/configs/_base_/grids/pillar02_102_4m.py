"""The grid of the pillar recipes: that of the 0.1 m recipes, fed by pillars as high as the grid."""
_base_ = ['./voxel01_102_4m.py']
voxel_m = [0.2, 0.2, _base_.bev_grid.range_m[5] - _base_.bev_grid.range_m[2]]
