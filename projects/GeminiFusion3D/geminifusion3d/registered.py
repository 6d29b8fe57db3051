"""Import every module that registers something; a recipe names this module in `custom_imports`."""
import logging

from mmengine.config.utils import MODULE2PACKAGE

from . import (alignment, camera_bev, data_preprocessor, detector, engine, fusion, heads, kitti, lidar_bev,
               radar_bev, sensors)
from .results import detection_metric, nuscenes_metric, segmentation_metric, test_time_augmentation

# `_base_ = 'geminifusion3d::demo/...'`, as for OpenMMLab's own packages. The name of this module, because
# mmengine looks for a distribution where an editable one is not.
MODULE2PACKAGE['geminifusion3d'] = __name__
# torch's note to those who call its tracer by hand stands before every training otherwise.
logging.getLogger('torch.fx._symbolic_trace').setLevel(logging.ERROR)

__all__ = ['alignment', 'camera_bev', 'data_preprocessor', 'detection_metric', 'detector', 'engine', 'fusion',
           'heads', 'kitti', 'lidar_bev', 'nuscenes_metric', 'radar_bev', 'segmentation_metric', 'sensors',
           'test_time_augmentation']
