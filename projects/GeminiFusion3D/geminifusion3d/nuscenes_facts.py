"""The facts of nuScenes: classes, ranges, limits, sensor channels, attributes. Nobody else writes them down.

The speed rule of the attributes is the one of mmdet3d's NuScenesMetric; the devkit itself defines only
which attributes exist.
"""
from typing import Dict, Tuple

_VEHICLE = ('vehicle.moving', 'vehicle.parked', 'vehicle.stopped')
_CYCLE = ('cycle.with_rider', 'cycle.without_rider')
_PEDESTRIAN = ('pedestrian.moving', 'pedestrian.standing', 'pedestrian.sitting_lying_down')
# The ten detection classes, in the order of mmdet3d's CenterPoint and BEVFusion: range in metres, valid
# attributes, attribute of a box that stands; one that moves has the first. A bus that stands has most often
# stopped in traffic, a car is parked.
_CLASSES: Dict[str, Tuple[float, Tuple[str, ...], str]] = {
    'car': (50.0, _VEHICLE, 'vehicle.parked'),
    'truck': (50.0, _VEHICLE, 'vehicle.parked'),
    'construction_vehicle': (50.0, _VEHICLE, 'vehicle.parked'),
    'bus': (50.0, _VEHICLE, 'vehicle.stopped'),
    'trailer': (50.0, _VEHICLE, 'vehicle.parked'),
    'barrier': (30.0, ('', ), ''),
    'motorcycle': (40.0, _CYCLE, 'cycle.without_rider'),
    'bicycle': (40.0, _CYCLE, 'cycle.without_rider'),
    'pedestrian': (40.0, _PEDESTRIAN, 'pedestrian.standing'),
    'traffic_cone': (30.0, ('', ), '')}
CLASS_NAMES = tuple(_CLASSES)
# The evaluation leaves out boxes, annotated or predicted, at or beyond this distance from the ego vehicle.
CLASS_RANGE_M = {name: range_m for name, (range_m, _, _) in _CLASSES.items()}
# A class with valid attributes must carry exactly one of them; the others carry ''.
VALID_ATTRIBUTES = {name: attributes for name, (_, attributes, _) in _CLASSES.items()}

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

# A submission with more boxes in a sample is refused.
MAX_BOXES_PER_SAMPLE = 500
# What the evaluation does not define for a class: a cone has no front, what cannot move has no velocity.
UNDEFINED_ERRORS: Dict[str, Tuple[str, ...]] = {'traffic_cone': ('orient_err', 'vel_err', 'attr_err'),
                                                'barrier': ('vel_err', 'attr_err')}

MOVING_SPEED_MPS = 0.2


def attribute_by_speed(class_name: str, speed_mps: float) -> str:
    """Returns the attribute of a box of this class that moves at this speed over ground.

    Args:
        class_name: one of the ten detection classes.
        speed_mps: length of the horizontal velocity.
    """
    _, attributes, standing = _CLASSES[class_name]
    return attributes[0] if speed_mps > MOVING_SPEED_MPS else standing
