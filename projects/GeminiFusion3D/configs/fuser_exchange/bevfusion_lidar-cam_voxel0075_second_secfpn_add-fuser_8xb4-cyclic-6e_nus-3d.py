"""BEVFusion whose two maps are added.

Why: the simplest fuser from the same start; the camera's
80 channels are projected to the LiDAR's 256 for it.
"""
_base_ = ['./bevfusion_lidar-cam_voxel0075_second_secfpn_conv-fuser_8xb4-cyclic-6e_nus-3d.py']
model = dict(
    camera_align=dict(out_channels=256, project=True),
    fuser=dict(_delete_=True, type='GeminiAddFuser', channels=256))
# An addition has no weights that could be missing.
load_cfg = dict(missing_branches=['camera_align', 'lidar_align'])
