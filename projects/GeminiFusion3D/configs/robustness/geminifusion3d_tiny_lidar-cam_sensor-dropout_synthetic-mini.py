"""The demo trained with sensors that fail at random.

Why: for use where a camera or the LiDAR may be missing.
"""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
drop_sensors = dict(
    type='GeminiDropSensorsAtRandom', camera_prob=0.1, all_cameras_prob=0.1, lidar_prob=0.1)
train_pipeline = [*_base_.train_pipeline[:-1], drop_sensors, _base_.pack_training]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
