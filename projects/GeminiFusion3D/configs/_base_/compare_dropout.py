"""The comparison with sensors that fail at random in training, as in configs/robustness."""
_base_ = ['./compare.py']
drop_sensors = dict(
    type='GeminiDropSensorsAtRandom', camera_prob=0.1, all_cameras_prob=0.1, lidar_prob=0.1)
train_pipeline = [*_base_.train_pipeline[:-1], drop_sensors, _base_.pack_training]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
