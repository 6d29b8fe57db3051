"""GeminiFusion3D: camera-LiDAR 3D detection with GeminiFusion, a plugin for MMDetection3D.

Importing the package registers everything under names that begin with Gemini.
"""
from . import (alignment, camera_bev, detector, engine, fusion, heads, lidar_bev, results,
               sensors)
from .detector import GeminiFusion3D
from .results import nuscenes_metric

__all__ = ['GeminiFusion3D', 'alignment', 'camera_bev', 'detector', 'engine', 'fusion', 'heads',
           'lidar_bev', 'nuscenes_metric', 'results', 'sensors']
