"""Names of the sensors that are read, and the fixed order of the cameras in every image tensor."""
from typing import Tuple

CAMERA_NAMES: Tuple[str, ...] = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK',
                                 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
LIDAR_NAME = 'LIDAR_TOP'
