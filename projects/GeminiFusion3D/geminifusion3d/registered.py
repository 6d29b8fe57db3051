"""Imports every module that registers something; the host's registries load it when first asked."""
from . import alignment, camera_bev, detector, engine, fusion, heads, lidar_bev, sensors
from .results import nuscenes_metric, test_time_augmentation

__all__ = ['alignment', 'camera_bev', 'detector', 'engine', 'fusion', 'heads', 'lidar_bev',
           'nuscenes_metric', 'sensors', 'test_time_augmentation']
