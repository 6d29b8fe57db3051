"""The fusion stage on one GPU of 24 GB: bf16, eight batches of four summed, activations forgotten."""
_base_ = ['../geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
optim_wrapper = dict(precision='bf16', accumulative_counts=8)
# Every stage of the image backbone, and the fuser, keep nothing but their inputs.
activation_checkpointing = ['camera_branch.backbone.stages.*', 'fuser']
