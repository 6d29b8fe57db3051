"""KITTI's range as MVX-Net has it: 70.4 m ahead, 40 m to each side, voxels of 5 cm."""
voxel_size = [0.05, 0.05, 0.1]
point_cloud_range = [0, -40, -3, 70.4, 40, 1]
# One empty layer above the range, as in every SECOND.
sparse_shape = [41, 1600, 1408]
