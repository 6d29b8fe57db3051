"""The full-size detector with 0.1 m voxels."""
_base_ = ['../grids/voxel01_102_4m.py', './full_size.py']
model = dict(bev_grid=_base_.bev_grid, lidar_branch=dict(voxel_m=_base_.voxel_m))
