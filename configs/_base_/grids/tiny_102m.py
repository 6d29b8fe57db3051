# The one grid of the demo recipes: 128 x 128 cells of 0.8 m. Nothing else in a recipe types these numbers.
bev_grid = dict(range_m=[-51.2, -51.2, -5.0, 51.2, 51.2, 3.0], cell_m=0.8)
voxel_m = [0.2, 0.2, 0.25]
