"""The grid of the comparison: 64 x 64 cells of 1.25 m."""
bev_grid = dict(range_m=[-40.0, -40.0, -3.0, 40.0, 40.0, 3.0], cell_m=1.25)
voxel_m = [0.3125, 0.3125, 0.5]
