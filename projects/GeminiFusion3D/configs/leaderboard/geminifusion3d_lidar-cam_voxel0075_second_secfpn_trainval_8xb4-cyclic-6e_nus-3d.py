"""The fusion stage for the leaderboard: learns train and val together, from the LiDAR stage that did so."""
_base_ = ['../geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
train_dataloader = dict(dataset=dict(dataset=dict(ann_file='geminifusion3d_infos_trainval.pkl')))
# A score on scenes that were learned would say nothing.
train_cfg = dict(val_begin=_base_.max_epochs + 1)
lidar_stage = 'geminifusion3d_lidar_voxel0075_second_secfpn_trainval_8xb4-cyclic-20e_nus-3d'
load_from = f'work_dirs/{lidar_stage}/epoch_20.pth'
