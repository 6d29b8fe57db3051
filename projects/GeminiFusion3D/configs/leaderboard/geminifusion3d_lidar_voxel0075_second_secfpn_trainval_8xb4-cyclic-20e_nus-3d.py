"""The main recipe's first stage learning train and val together.

Why: for the test server, where more data count; nothing is left to be judged on meanwhile.
"""
_base_ = ['../geminifusion3d_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py']
sample_objects = dict(database=f'{_base_.data_root}/gt_database_trainval')
train_dataloader = dict(dataset=dict(dataset=dict(
    ann_file='geminifusion3d_infos_trainval.pkl', pipeline=[
        step if step['type'] != 'GeminiSampleObjects' else {**step, **sample_objects}
        for step in _base_.train_pipeline])))
# A score on scenes that were learned would say nothing.
val_cfg = None
val_dataloader = None
val_evaluator = None
