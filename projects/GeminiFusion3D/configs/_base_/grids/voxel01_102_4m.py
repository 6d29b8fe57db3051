"""The grid of the 0.1 m recipes: 128 x 128 cells of 0.8 m."""
bev_grid = dict(range_m=[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0], cell_m=0.8)
voxel_m = [0.1, 0.1, 0.2]
