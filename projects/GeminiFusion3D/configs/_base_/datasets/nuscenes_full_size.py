"""Real nuScenes for the full-size recipes: ten sweeps, six images of 256x704, 8 processes of 4 samples.

A recipe composes its two pipelines from these steps and puts them into the two loaders.
"""
_base_ = ['./nuscenes.py']
# Decoded at half the size, in half the time; what that costs: gemini3d benchmark data
load_images = dict(type='GeminiLoadImages', reduce=2)
load_points = dict(type='GeminiLoadPoints', sweeps_num=9)
# Objects of other keyframes, pasted into the cloud; the last 5 of 20 epochs see real scenes only.
sample_objects = dict(
    type='GeminiSampleObjects', database=f'{_base_.data_root}/gt_database_train',
    sweeps_num=load_points['sweeps_num'], until_epoch=15)
augment_images = dict(
    type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.38, 0.55),
    crop_bottom_range=(0.0, 0.0), rotate_range_deg=(-5.4, 5.4), flip=True, training=True)
resize_images = dict(
    type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.48, 0.48))
augment_scene = dict(
    type='GeminiAugmentScene', rotate_range_rad=(-0.78539816, 0.78539816),
    scale_range=(0.9, 1.1), translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5, flip_y_prob=0.5)

sensors = dict(use_camera=True, use_lidar=True)
train_dataloader = dict(
    batch_size=4, num_workers=4, persistent_workers=True, drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='GeminiCBGSDataset',
        dataset=dict(
            type='GeminiNuScenesDataset', data_root=_base_.data_root,
            ann_file='geminifusion3d_infos_train.pkl', modality=sensors)))
val_dataloader = dict(
    batch_size=1, num_workers=4, persistent_workers=True, drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='GeminiNuScenesDataset', data_root=_base_.data_root,
        ann_file='geminifusion3d_infos_val.pkl', modality=sensors, test_mode=True,
        load_eval_anns=False, box_type_3d='LiDAR'))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='GeminiNuScenesMetric', data_root=_base_.data_root, ann_file='geminifusion3d_infos_val.pkl',
    meta=_base_.modality)
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
