"""The facts of nuScenes: classes, ranges, limits, sensor channels, attributes. Nobody else writes them down.

The speed rule of the attributes is the one of mmdet3d's NuScenesMetric; the devkit itself defines only
which attributes exist.
"""
from typing import Dict, Tuple

# The ten detection classes, in the order of mmdet3d's CenterPoint and BEVFusion.
CLASS_NAMES: Tuple[str, ...] = (
    'car', 'truck', 'construction_vehicle', 'bus', 'trailer', 'barrier', 'motorcycle', 'bicycle',
    'pedestrian', 'traffic_cone')

# The order of the cameras in every image tensor.
CAMERA_NAMES: Tuple[str, ...] = ('CAM_FRONT', 'CAM_FRONT_RIGHT', 'CAM_FRONT_LEFT', 'CAM_BACK',
                                 'CAM_BACK_LEFT', 'CAM_BACK_RIGHT')
LIDAR_NAME = 'LIDAR_TOP'
RADAR_NAMES: Tuple[str, ...] = ('RADAR_FRONT', 'RADAR_FRONT_LEFT', 'RADAR_FRONT_RIGHT', 'RADAR_BACK_LEFT',
                                'RADAR_BACK_RIGHT')
# Height and width of every picture.
IMAGE_HW: Tuple[int, int] = (900, 1600)
LIDAR_COLUMNS: Tuple[str, ...] = ('x', 'y', 'z', 'intensity', 'ring')

# The layers of the map expansion (version 1.3) that hold areas and lines.
MAP_POLYGON_LAYERS: Tuple[str, ...] = ('drivable_area', 'road_segment', 'road_block', 'lane', 'ped_crossing',
                                       'walkway', 'stop_line', 'carpark_area')
MAP_LINE_LAYERS: Tuple[str, ...] = ('road_divider', 'lane_divider')
# The six classes of BEV map segmentation, in the order of MIT's BEVFusion, and the layers of each.
MAP_CLASSES: Dict[str, Tuple[str, ...]] = {
    'drivable_area': ('drivable_area', ), 'ped_crossing': ('ped_crossing', ), 'walkway': ('walkway', ),
    'stop_line': ('stop_line', ), 'carpark_area': ('carpark_area', ),
    'divider': ('road_divider', 'lane_divider')}

# The evaluation leaves out boxes, annotated or predicted, at or beyond this distance from the ego vehicle.
CLASS_RANGE_M: Dict[str, float] = {
    'car': 50.0, 'truck': 50.0, 'construction_vehicle': 50.0, 'bus': 50.0, 'trailer': 50.0, 'barrier': 30.0,
    'motorcycle': 40.0, 'bicycle': 40.0, 'pedestrian': 40.0, 'traffic_cone': 30.0}
# A submission with more boxes in a sample is refused.
MAX_BOXES_PER_SAMPLE = 500
# What the evaluation does not define for a class: a cone has no front, what cannot move has no velocity.
UNDEFINED_ERRORS: Dict[str, Tuple[str, ...]] = {'traffic_cone': ('orient_err', 'vel_err', 'attr_err'),
                                                'barrier': ('vel_err', 'attr_err')}

MOVING_SPEED_MPS = 0.2

_VEHICLE = ('vehicle.moving', 'vehicle.parked', 'vehicle.stopped')
_CYCLE = ('cycle.with_rider', 'cycle.without_rider')
_PEDESTRIAN = ('pedestrian.moving', 'pedestrian.standing', 'pedestrian.sitting_lying_down')

# A class with valid attributes must carry exactly one of them; the others carry ''.
VALID_ATTRIBUTES: Dict[str, Tuple[str, ...]] = {
    'car': _VEHICLE,
    'truck': _VEHICLE,
    'construction_vehicle': _VEHICLE,
    'bus': _VEHICLE,
    'trailer': _VEHICLE,
    'barrier': ('', ),
    'motorcycle': _CYCLE,
    'bicycle': _CYCLE,
    'pedestrian': _PEDESTRIAN,
    'traffic_cone': ('', ),
}

# (moving, not moving): a bus that stands has most often stopped in traffic, a car is parked.
_BY_SPEED: Dict[str, Tuple[str, str]] = {
    'car': ('vehicle.moving', 'vehicle.parked'),
    'truck': ('vehicle.moving', 'vehicle.parked'),
    'construction_vehicle': ('vehicle.moving', 'vehicle.parked'),
    'bus': ('vehicle.moving', 'vehicle.stopped'),
    'trailer': ('vehicle.moving', 'vehicle.parked'),
    'barrier': ('', ''),
    'motorcycle': ('cycle.with_rider', 'cycle.without_rider'),
    'bicycle': ('cycle.with_rider', 'cycle.without_rider'),
    'pedestrian': ('pedestrian.moving', 'pedestrian.standing'),
    'traffic_cone': ('', ''),
}


def attribute_by_speed(class_name: str, speed_mps: float) -> str:
    """Returns the attribute of a box of this class that moves at this speed over ground.

    Args:
        class_name: one of the ten detection classes.
        speed_mps: length of the horizontal velocity.
    """
    moving, standing = _BY_SPEED[class_name]
    return moving if speed_mps > MOVING_SPEED_MPS else standing
