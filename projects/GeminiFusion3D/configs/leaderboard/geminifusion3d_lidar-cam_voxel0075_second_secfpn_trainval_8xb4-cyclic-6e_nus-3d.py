"""The main recipe's second stage learning train and val together, from the LiDAR stage that did so too.

Why: for the test server, where more data count; nothing is left to be judged on meanwhile.
"""
_base_ = ['../geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='geminifusion3d_infos_trainval.pkl')))
# A score on scenes that were learned would say nothing.
val_cfg = None
val_dataloader = None
val_evaluator = None
lidar_stage = 'geminifusion3d_lidar_voxel0075_second_secfpn_trainval_8xb4-cyclic-20e_nus-3d'
load_from = f'work_dirs/{lidar_stage}/epoch_20.pth'
