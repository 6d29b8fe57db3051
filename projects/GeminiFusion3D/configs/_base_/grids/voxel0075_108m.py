"""The grid of the 0.075 m recipes: 180 x 180 cells of 0.6 m."""
bev_grid = dict(range_m=[-54.0, -54.0, -5.0, 54.0, 54.0, 3.0], cell_m=0.6)
voxel_m = [0.075, 0.075, 0.2]
