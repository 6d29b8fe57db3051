"""The main recipe's second stage on eight GPUs of 24 GB or more: bf16.

Why: half the memory of the activations.
"""
_base_ = ['../geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
optim_wrapper = dict(precision='bf16')
