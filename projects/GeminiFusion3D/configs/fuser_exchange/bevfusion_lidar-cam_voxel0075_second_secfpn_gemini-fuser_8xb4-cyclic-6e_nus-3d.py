"""BEVFusion with GeminiFusion as its only change.

Why: the one comparison of the two fusers in which nothing else differs; the camera's
80 channels are projected to the LiDAR's 256 for it.
"""
_base_ = ['./bevfusion_lidar-cam_voxel0075_second_secfpn_conv-fuser_8xb4-cyclic-6e_nus-3d.py']
model = dict(
    camera_align=dict(out_channels=256, project=True),
    fuser=dict(_delete_=True, type='GeminiFusion', channels=256, heads=8))
