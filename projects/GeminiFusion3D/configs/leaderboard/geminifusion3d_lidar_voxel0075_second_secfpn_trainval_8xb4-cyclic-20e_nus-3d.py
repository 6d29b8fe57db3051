"""The LiDAR stage for the leaderboard: learns train and val together, so that it cannot be judged on val."""
_base_ = ['../geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
sample_objects = dict(database=f'{_base_.data_root}/gt_database_trainval')
train_dataloader = dict(dataset=dict(dataset=dict(
    ann_file='geminifusion3d_infos_trainval.pkl', pipeline=[
        step if step['type'] != 'GeminiSampleObjects' else {**step, **sample_objects}
        for step in _base_.train_pipeline])))
# A score on scenes that were learned would say nothing.
train_cfg = dict(val_begin=_base_.max_epochs + 1)
