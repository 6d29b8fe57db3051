"""The one grid of the demo recipes: 100 x 100 cells of 1 m."""
bev_grid = dict(range_m=[-50.0, -50.0, -3.0, 50.0, 50.0, 3.0], cell_m=1.0)
voxel_m = [0.25, 0.25, 0.5]
