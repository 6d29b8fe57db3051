"""BEVFusion whose convolution that fuses learns anew from published weights of everything else.

Why: what the other fusers of this folder, which start and learn the same way, are compared with.
"""
_base_ = ['../bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
# gemini3d convert-checkpoint THEIRS.pth work_dirs/bevfusion_without_fuser.pth --without-fuser
load_from = 'work_dirs/bevfusion_without_fuser.pth'
load_cfg = dict(missing_branches=['camera_align', 'lidar_align', 'fuser'])
