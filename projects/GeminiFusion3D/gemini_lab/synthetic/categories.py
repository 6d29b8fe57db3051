"""The 23 nuScenes categories as the synthetic world draws them: size, shape, colour, motion.

Sizes, their spread, speeds and shares that move follow real boxes (docs/synthetic_world.md); classes that are
rare there are more frequent here. The world rewards fusion. Alike in shape and size and different in colour:
cone and grey bollard, barrier and hedge or wall. Alike in size and far away also in shape: truck and
construction vehicle, bus and trailer, motorcycle and bicycle. Alike in an image and different in geometry:
pedestrian and painted post, car and a picture of a car.
"""
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

RGB = Tuple[float, float, float]


class CategorySpec(NamedTuple):
    """How one category is drawn.

    size_m: mean (length, width, height), spread: the standard deviation of each, relative to it; palette:
    body colours to choose from; count: objects per 100 m of the ego's path; reach_m: how far from the path
    they stand at most; moving: share that moves, at speed_mps (lowest, highest); zones: where standing ones
    stand and moving ones move.
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
    spread: Tuple[float, float, float] = (0.06, 0.06, 0.06)


_CAR_PAINTS = ((0.75, 0.76, 0.78), (0.12, 0.12, 0.14), (0.9, 0.9, 0.9), (0.45, 0.07, 0.08), (0.35, 0.37, 0.4))
_CLOTHES = ((0.75, 0.2, 0.2), (0.2, 0.3, 0.65), (0.8, 0.75, 0.6), (0.25, 0.5, 0.3), (0.3, 0.3, 0.3))
_BLUE = ((0.05, 0.2, 0.75), (0.1, 0.3, 0.85))
_YELLOW = ((1.0, 0.75, 0.0), (0.95, 0.65, 0.05))
_RED = ((0.85, 0.05, 0.05), (0.9, 0.12, 0.05))
_WHITE = ((0.92, 0.92, 0.95), (0.85, 0.88, 0.9))
_MAGENTA = ((0.85, 0.05, 0.7), (0.7, 0.05, 0.85))
_CYAN = ((0.0, 0.85, 0.8), (0.05, 0.95, 0.65))
_ORANGE = ((1.0, 0.4, 0.0), (1.0, 0.33, 0.03))
_BROWN = ((0.4, 0.28, 0.16), (0.5, 0.4, 0.3))


Spread = Tuple[float, float, float]
Speeds = Tuple[float, float]


def _vehicle(size_m: Tuple[float, float, float], spread: Spread, shape: str, palette: Tuple[RGB, ...],
             count: float, moving: float, speed_mps: Speeds = (2.5, 10.0)) -> CategorySpec:
    return CategorySpec(size_m, shape, palette, count, 47.0, moving, speed_mps, ('park', 'park', 'plaza'),
                        'lane', spread=spread)


def _person(palette: Tuple[RGB, ...], count: float, height: float = 1.77) -> CategorySpec:
    return CategorySpec((0.73, 0.69, height), 'person', palette, count, 34.0, 0.75, (0.9, 1.7),
                        spread=(0.2, 0.17, 0.06))


def _cycle(size_m: Tuple[float, float, float], spread: Spread, shape: str, palette: Tuple[RGB, ...],
           count: float, moving: float, speed_mps: Speeds) -> CategorySpec:
    return CategorySpec(size_m, shape, palette, count, 34.0, moving, speed_mps, ('walk', 'plaza', 'kerb'),
                        'bike', f'ridden_{shape}', spread)


SPECS: Dict[str, CategorySpec] = {
    'human.pedestrian.adult': _person(_CLOTHES, 14.5),
    'human.pedestrian.child': _person(_CLOTHES, 0.8, 1.4),
    'human.pedestrian.wheelchair': CategorySpec((1.0, 0.75, 1.35), 'wheelchair', _CLOTHES, 0.2),
    'human.pedestrian.stroller': CategorySpec((0.95, 0.6, 1.05), 'cart', _BROWN, 0.2),
    'human.pedestrian.personal_mobility': CategorySpec(
        (1.25, 0.8, 1.85), 'ridden_bicycle', _CLOTHES, 0.2, moving=0.5, speed_mps=(1.0, 3.0)),
    'human.pedestrian.police_officer': _person(((0.1, 0.12, 0.3),), 0.3),
    'human.pedestrian.construction_worker': _person(((0.9, 0.9, 0.1),), 1.0),
    'animal': CategorySpec((0.8, 0.35, 0.6), 'animal', _BROWN, 0.2, moving=0.5,
                           speed_mps=(0.5, 1.0)),
    'vehicle.car': _vehicle(
        (4.65, 1.95, 1.7), (0.075, 0.075, 0.11), 'car', _CAR_PAINTS, 21, 0.35, (2.5, 14.0)),
    'vehicle.motorcycle': _cycle(
        (1.95, 0.74, 1.25), (0.16, 0.2, 0.08), 'motorcycle', _MAGENTA, 3.6, 0.55, (2.5, 11.0)),
    'vehicle.bicycle': _cycle(
        (1.81, 0.63, 1.12), (0.07, 0.18, 0.07), 'bicycle', _CYAN, 2.6, 0.35, (2.5, 5.5)),
    'vehicle.bus.bendy': _vehicle((14.0, 2.9, 3.4), (0.1, 0.04, 0.08), 'bus', _RED, 0.3, 0.5),
    'vehicle.bus.rigid': _vehicle((10.9, 2.93, 3.65), (0.16, 0.08, 0.13), 'bus', _RED, 1.6, 0.5),
    'vehicle.truck': _vehicle((6.6, 2.36, 2.68), (0.24, 0.12, 0.22), 'truck', _BLUE, 2.6, 0.25),
    'vehicle.construction': _vehicle(
        (5.6, 2.6, 2.45), (0.25, 0.14, 0.15), 'digger', _YELLOW, 2.2, 0.05, (0.6, 2.0)),
    'vehicle.emergency.ambulance': _vehicle(
        (6.2, 2.3, 2.7), (0.06, 0.06, 0.06), 'truck', _WHITE, 0.2, 0.3),
    'vehicle.emergency.police': _vehicle(
        (4.9, 2.0, 1.8), (0.06, 0.06, 0.06), 'car', ((0.1, 0.1, 0.5),), 0.2, 0.3),
    'vehicle.trailer': _vehicle((10.3, 2.35, 3.7), (0.3, 0.07, 0.08), 'trailer', _WHITE, 1.9, 0.05),
    'movable_object.barrier': CategorySpec(
        (0.6, 2.33, 1.06), 'barrier', ((0.95, 0.1, 0.1),), 7, 28.0, still_zones=('kerb', 'walk', 'plaza'),
        spread=(0.15, 0.18, 0.08)),
    'movable_object.trafficcone': CategorySpec(
        (0.43, 0.45, 0.8), 'cone', _ORANGE, 7, 26.0, still_zones=('kerb', 'walk', 'plaza'),
        spread=(0.15, 0.15, 0.14)),
    'movable_object.pushable_pullable': CategorySpec((0.7, 0.6, 1.0), 'cart', _BROWN, 0.5),
    'movable_object.debris': CategorySpec((0.8, 0.8, 0.4), 'debris', _BROWN, 0.5),
    'static_object.bicycle_rack': CategorySpec((6.0, 1.9, 1.3), 'rack', _BROWN, 0.5),
}
# A rider's head above the saddle, in heights of the vehicle.
RIDER_HEIGHT = 1.45
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
        return 'vehicle.moving' if is_moving else ('vehicle.stopped' if choice < 0.2 else 'vehicle.parked')
    if category in _ATTRIBUTED_PEOPLE:
        return 'pedestrian.moving' if is_moving else (
            'pedestrian.sitting_lying_down' if choice < 0.15 else 'pedestrian.standing')
    return ''


def class_of(category: str, names: Mapping[str, str]) -> Optional[str]:
    """Returns what a dataset calls a category, by the first beginning of it that is there; None: nothing."""
    return next((name for beginning, name in names.items() if category.startswith(beginning)), None)


def draw_size(spec: CategorySpec, rng: np.random.Generator, is_ridden: bool) -> np.ndarray:
    """Draws (length, width, height) in metres: what is long tends to be wide and high, correlation 0.64."""
    shared, own = rng.normal(), rng.normal(size=3)
    size = np.array(spec.size_m) * np.exp(np.array(spec.spread) * (0.8 * shared + 0.6 * own).clip(-2, 2))
    if is_ridden and spec.moving_shape:
        size[2] *= RIDER_HEIGHT
    return size.round(3)
