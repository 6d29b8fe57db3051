"""The second stage with the LiDAR's depth as an input of the lift, as in BEVFusion.

Why: pixels that a LiDAR point hits need not guess their depth.
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
model = dict(camera_branch=dict(type='GeminiDepthLSSBranch', downsample=2))
