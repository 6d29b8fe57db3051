"""The ten nuScenes detection classes, in the order of the host's CenterPoint and BEVFusion."""
from typing import Tuple

CLASS_NAMES: Tuple[str, ...] = (
    'car', 'truck', 'construction_vehicle', 'bus', 'trailer', 'barrier', 'motorcycle', 'bicycle',
    'pedestrian', 'traffic_cone')
