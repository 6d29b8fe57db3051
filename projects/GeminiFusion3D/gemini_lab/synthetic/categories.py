"""The 23 nuScenes categories as the synthetic world draws them: size, shape, colour, motion.

The world rewards fusion. Pairs that are alike in shape and size and differ in colour: truck
and construction vehicle, bus and trailer, motorcycle and bicycle, cone and grey bollard, barrier
and hedge or wall. Pairs that look alike in an image and differ in geometry: pedestrian
and painted post, car and a picture of a car.
"""
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

RGB = Tuple[float, float, float]


class CategorySpec(NamedTuple):
    """How one category is drawn.

    size_m: mean (length, width, height); palette: body colours to choose from; count: objects per
    100 m of the ego's path; reach_m: how far from the path they stand at most; moving: share that
    moves, at speed_mps (lowest, highest); zones: where standing ones stand and moving ones move.
    """

    size_m: Tuple[float, float, float]
    shape: str
    palette: Tuple[RGB, ...]
    count: float
    reach_m: float = 35.0
    moving: float = 0.0
    speed_mps: Tuple[float, float] = (0.0, 0.0)
    still_zones: Tuple[str, ...] = ('walk', 'plaza')
    moving_zone: str = 'walk'
    moving_shape: str = ''
    reflectivity: float = 0.25


_CAR_PAINTS = ((0.75, 0.76, 0.78), (0.12, 0.12, 0.14), (0.9, 0.9, 0.9), (0.45, 0.07, 0.08),
               (0.35, 0.37, 0.4))
_CLOTHES = ((0.75, 0.2, 0.2), (0.2, 0.3, 0.65), (0.8, 0.75, 0.6), (0.25, 0.5, 0.3),
            (0.3, 0.3, 0.3))
_BLUE = ((0.05, 0.2, 0.75), (0.1, 0.3, 0.85))
_YELLOW = ((1.0, 0.75, 0.0), (0.95, 0.65, 0.05))
_RED = ((0.85, 0.05, 0.05), (0.9, 0.12, 0.05))
_WHITE = ((0.92, 0.92, 0.95), (0.85, 0.88, 0.9))
_MAGENTA = ((0.85, 0.05, 0.7), (0.7, 0.05, 0.85))
_CYAN = ((0.0, 0.85, 0.8), (0.05, 0.95, 0.65))
_ORANGE = ((1.0, 0.4, 0.0), (1.0, 0.33, 0.03))
_BROWN = ((0.4, 0.28, 0.16), (0.5, 0.4, 0.3))


def _vehicle(size_m: Tuple[float, float, float], shape: str, palette: Tuple[RGB, ...],
             count: float, moving: float = 0.35) -> CategorySpec:
    return CategorySpec(size_m, shape, palette, count, 42.0, moving, (3.0, 9.0),
                        ('park', 'plaza', 'plaza'), 'lane')


def _person(palette: Tuple[RGB, ...], count: float, height: float = 1.72) -> CategorySpec:
    return CategorySpec((0.65, 0.65, height), 'person', palette, count, 35.0, 0.75, (0.8, 1.8))


def _cycle(palette: Tuple[RGB, ...], count: float) -> CategorySpec:
    return CategorySpec((1.9, 0.72, 1.25), 'cycle', palette, count, 34.0, 0.5, (2.0, 5.0),
                        ('walk', 'plaza', 'kerb'), 'bike', 'ridden_cycle')


SPECS: Dict[str, CategorySpec] = {
    'human.pedestrian.adult': _person(_CLOTHES, 11),
    'human.pedestrian.child': _person(_CLOTHES, 1.5, 1.3),
    'human.pedestrian.wheelchair': CategorySpec((1.0, 0.75, 1.35), 'wheelchair', _CLOTHES, 0.7),
    'human.pedestrian.stroller': CategorySpec((0.95, 0.6, 1.05), 'cart', _BROWN, 0.7),
    'human.pedestrian.personal_mobility': CategorySpec(
        (1.2, 0.65, 1.7), 'ridden_cycle', _CLOTHES, 0.7, moving=0.5, speed_mps=(2.0, 4.0)),
    'human.pedestrian.police_officer': _person(((0.1, 0.12, 0.3),), 0.7),
    'human.pedestrian.construction_worker': _person(((0.9, 0.9, 0.1),), 1.5),
    'animal': CategorySpec((0.8, 0.35, 0.6), 'animal', _BROWN, 0.7, moving=0.5,
                           speed_mps=(0.5, 1.0)),
    'vehicle.car': _vehicle((4.5, 1.9, 1.65), 'car', _CAR_PAINTS, 13),
    'vehicle.motorcycle': _cycle(_MAGENTA, 9),
    'vehicle.bicycle': _cycle(_CYAN, 9),
    'vehicle.bus.bendy': _vehicle((13.0, 2.75, 3.2), 'bus', _RED, 0.5),
    'vehicle.bus.rigid': _vehicle((9.8, 2.75, 3.2), 'bus', _RED, 3.6),
    'vehicle.truck': _vehicle((6.2, 2.4, 2.7), 'truck', _BLUE, 5),
    'vehicle.construction': _vehicle((6.2, 2.4, 2.7), 'hazard_truck', _YELLOW, 5, 0.25),
    'vehicle.emergency.ambulance': _vehicle((6.2, 2.3, 2.7), 'truck', _WHITE, 0.7),
    'vehicle.emergency.police': _vehicle((4.9, 2.0, 1.8), 'car', ((0.1, 0.1, 0.5),), 0.7),
    'vehicle.trailer': _vehicle((9.8, 2.75, 3.2), 'trailer', _WHITE, 4.0, 0.25),
    'movable_object.barrier': CategorySpec((0.55, 2.4, 1.0), 'barrier', ((0.95, 0.1, 0.1),), 13,
                                           24.0, still_zones=('kerb', 'walk', 'plaza')),
    'movable_object.trafficcone': CategorySpec((0.45, 0.45, 1.05), 'cone', _ORANGE, 14, 22.0,
                                               still_zones=('kerb', 'walk', 'plaza')),
    'movable_object.pushable_pullable': CategorySpec((0.7, 0.6, 1.0), 'cart', _BROWN, 1.0),
    'movable_object.debris': CategorySpec((0.8, 0.8, 0.4), 'debris', _BROWN, 1.0),
    'static_object.bicycle_rack': CategorySpec((6.0, 1.9, 1.3), 'rack', _BROWN, 0.8),
}
CATEGORY_NAMES = tuple(SPECS)
ATTRIBUTE_NAMES = ('vehicle.moving', 'vehicle.stopped', 'vehicle.parked', 'cycle.with_rider',
                   'cycle.without_rider', 'pedestrian.sitting_lying_down', 'pedestrian.standing',
                   'pedestrian.moving')
_ATTRIBUTED_PEOPLE = tuple(f'human.pedestrian.{kind}' for kind in (
    'adult', 'child', 'construction_worker', 'police_officer'))


def attribute_of(category: str, is_moving: bool, choice: float) -> str:
    """Returns the attribute of an object, '' for categories that carry none.

    Args:
        category: nuScenes category name.
        is_moving: whether the object has a speed.
        choice: a number in [0, 1) that decides where more than one attribute fits.
    """
    if category in ('vehicle.bicycle', 'vehicle.motorcycle'):
        return 'cycle.with_rider' if is_moving else 'cycle.without_rider'
    if category.startswith('vehicle.'):
        return 'vehicle.moving' if is_moving else (
            'vehicle.stopped' if choice < 0.2 else 'vehicle.parked')
    if category in _ATTRIBUTED_PEOPLE:
        return 'pedestrian.moving' if is_moving else (
            'pedestrian.sitting_lying_down' if choice < 0.15 else 'pedestrian.standing')
    return ''


def class_of(category: str, names: Mapping[str, str]) -> Optional[str]:
    """Returns what a dataset calls a category, by the first beginning of it that is there; None: nothing."""
    return next((name for beginning, name in names.items() if category.startswith(beginning)), None)


def draw_size(spec: CategorySpec, rng: np.random.Generator, is_ridden: bool) -> np.ndarray:
    """Draws (length, width, height) in metres around the category's mean, about 6 % spread."""
    size = np.array(spec.size_m) * rng.normal(1.0, 0.06, 3).clip(0.85, 1.15)
    if is_ridden and spec.shape == 'cycle':
        size[2] *= 1.4
    return size.round(3)
