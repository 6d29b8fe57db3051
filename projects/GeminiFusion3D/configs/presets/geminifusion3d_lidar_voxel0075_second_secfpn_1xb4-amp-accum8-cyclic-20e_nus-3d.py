"""The main recipe's first stage on one GPU of 24 GB: bf16, the gradients of eight batches of four summed.

Why: the same batch of 32 as on eight GPUs.
"""
_base_ = ['../geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
optim_wrapper = dict(precision='bf16', accumulative_counts=8)
