"""The second stage with a learned offset field: the camera map may move by up to 1.8 m, three cells.

Why: GeminiFusion reads one cell of the other map; a calibration that is off puts the wrong one there.
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
model = dict(offset_field=dict(type='GeminiOffsetField', channels=256, max_offset_m=1.8))
load_cfg = dict(missing_branches=['camera_branch', 'camera_align', 'fuser', 'offset_field'])
