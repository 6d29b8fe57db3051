"""BEVFusion with the exchange of poor cells, as in TokenFusion.

Why: the method that GeminiFusion improves on, from the same start; the camera's
80 channels are projected to the LiDAR's 256 for it.
"""
_base_ = ['./bevfusion_lidar-cam_voxel0075_second_secfpn_conv-fuser_8xb4-cyclic-6e_nus-3d.py']
model = dict(
    camera_align=dict(out_channels=256, project=True),
    fuser=dict(_delete_=True, type='GeminiTokenExchange', channels=256))
