"""The main recipe's second stage on one GPU of 24 GB: bf16, the gradients of eight batches of four summed.

Why: the same batch of 32 as on eight GPUs; the image backbone recomputes its activations to fit.
"""
_base_ = ['../geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
optim_wrapper = dict(precision='bf16', accumulative_counts=8)
# Every stage of the image backbone keeps nothing but its inputs.
activation_checkpointing = ['camera_branch.backbone.stages.*']
