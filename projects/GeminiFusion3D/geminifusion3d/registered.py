"""Import every module that registers something; a recipe names this module in `custom_imports`."""
from . import (alignment, camera_bev, data_preprocessor, detector, engine, fusion, heads,
               lidar_bev, sensors)
from .results import detection_metric, nuscenes_metric, test_time_augmentation

__all__ = ['alignment', 'camera_bev', 'data_preprocessor', 'detection_metric', 'detector', 'engine', 'fusion',
           'heads', 'lidar_bev', 'nuscenes_metric', 'sensors', 'test_time_augmentation']
