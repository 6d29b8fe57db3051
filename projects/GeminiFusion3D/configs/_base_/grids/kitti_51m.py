"""A range for two CPU cores: 51.2 m ahead, 22.4 m to each side, voxels of 20 cm."""
voxel_size = [0.2, 0.2, 0.2]
point_cloud_range = [0, -22.4, -3, 51.2, 22.4, 1]
sparse_shape = [21, 224, 256]
