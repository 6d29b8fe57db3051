"""Who is in a scene: all 23 categories around the ego's path, some moving, most standing."""
from typing import List, Optional

import numpy as np

from .categories import SPECS, CategorySpec, attribute_of, draw_size
from .city import City
from .ego import DURATION_S, EgoDrive
from .placement import Actor, Occupancy, draw_place
from .seeding import make_rng

_TRIES = 60
# A path of 100 m is seen from its ends as well.
_END_MARGIN_M = 60.0
_DARK = (0.06, 0.06, 0.07)
_GLASS = (0.10, 0.13, 0.17)
_SKIN = (0.75, 0.55, 0.42)
_TROUSERS = ((0.12, 0.14, 0.25), (0.2, 0.18, 0.15), (0.3, 0.32, 0.35))
# White and red: what tells the front of a vehicle from its back.
_HEAD_LAMPS, _TAIL_LAMPS = (0.95, 0.95, 0.85), (0.8, 0.03, 0.03)
_RACKED_BIKES = 3
_EARLY_S = 3.0
# Median and spread of the logarithm: paint, cloth and metal return very different shares of light.
_REFLECTIVITY, _REFLECTIVITY_SPREAD = 0.1, 0.6


def _colors(spec: CategorySpec, rng: np.random.Generator) -> np.ndarray:
    body = np.array(spec.palette[int(rng.integers(len(spec.palette)))])
    body = (body * rng.uniform(0.85, 1.1) + rng.normal(0, 0.02, 3)).clip(0.02, 1)
    accent = _TROUSERS[int(rng.integers(len(_TROUSERS)))]
    return np.array([body, accent, _DARK, _GLASS, _SKIN, _HEAD_LAMPS, _TAIL_LAMPS])


def _reflectivity(rng: np.random.Generator) -> float:
    return float(_REFLECTIVITY * np.exp(_REFLECTIVITY_SPREAD * rng.normal()))


def _place_one(category: str, name: str, city: City, drive: EgoDrive, occupancy: Occupancy,
               rng: np.random.Generator, latest_s: float) -> Optional[Actor]:
    """Tries to find room for one object of a category that the ego passes; None where it finds none."""
    spec = SPECS[category]
    is_moving = bool(rng.random() < spec.moving)
    attribute = attribute_of(category, is_moving, float(rng.random()))
    shape = spec.moving_shape if is_moving and spec.moving_shape else spec.shape
    size_m = draw_size(spec, rng, is_moving)
    if attribute == 'pedestrian.sitting_lying_down':
        shape, size_m = 'sitting_person', (size_m * [1.4, 1.0, 0.75]).round(3)
    speed = rng.uniform(*spec.speed_mps) if is_moving else 0.0
    colors, reflectivity = _colors(spec, rng), _reflectivity(rng)
    for _ in range(_TRIES):
        zone = spec.moving_zone if is_moving else spec.still_zones[int(rng.integers(len(spec.still_zones)))]
        place, time_s = draw_place(city, drive, rng, zone, spec.reach_m, latest_s)
        if place is None:
            continue
        flip = np.pi if zone == 'walk' and rng.random() < 0.5 else 0.0
        yaw = place.yaw
        if zone == 'plaza' and spec.moving_zone == 'lane':
            # A car park has rows, along or across the streets.
            yaw = np.pi / 2 * np.round(yaw / (np.pi / 2))
        yaw += flip + (0.0 if is_moving else rng.normal(0, 0.05))
        if shape == 'barrier' and zone != 'plaza':
            yaw += np.pi / 2 * int(rng.random() < 0.25)
        velocity = speed * np.array([np.cos(yaw), np.sin(yaw)])
        start = place.xy_m - velocity * time_s
        if occupancy.try_add(start, yaw, velocity, size_m):
            return Actor(name, category, shape, size_m, start, float(yaw), velocity, colors,
                         reflectivity, attribute)
    return None


def _fill_rack(rack: Actor, rng: np.random.Generator) -> List[Actor]:
    """Puts bicycles into a rack, side by side across its length."""
    spec = SPECS['vehicle.bicycle']
    along = np.array([np.cos(rack.yaw), np.sin(rack.yaw)])
    bikes = []
    for slot in range(_RACKED_BIKES):
        offset_m = (slot - (_RACKED_BIKES - 1) / 2) * rack.size_m[0] / (_RACKED_BIKES + 1)
        bikes.append(Actor(
            f'{rack.name}/bike{slot}', 'vehicle.bicycle', spec.shape,
            np.minimum(draw_size(spec, rng, False), [rack.size_m[1] - 0.05, 0.8, 1.3]),
            rack.xy_m + offset_m * along, rack.yaw + np.pi / 2, np.zeros(2), _colors(spec, rng),
            _reflectivity(rng), 'cycle.without_rider'))
    return bikes


def is_empty_street(scene_name: str) -> bool:
    """Tells whether a scene has no object at all; none of the ten mini scenes is like that."""
    return int(scene_name.split('-')[1]) % 37 == 0


def populate(seed: int, scene_name: str, city: City, drive: EgoDrive, occupancy: Occupancy) -> List[Actor]:
    """Returns the annotated objects of a scene.

    Args:
        seed: the dataset's seed.
        scene_name: official scene name.
        city: streets of the scene's location.
        drive: the ego's path; objects stand around it.
        occupancy: space that is taken; the objects are added to it.
    """
    if is_empty_street(scene_name):
        return []
    rng = make_rng(seed, scene_name, 'actors')
    path_m = float(np.linalg.norm(np.diff(drive.xy_m, axis=0), axis=1).sum())
    actors: List[Actor] = []
    # Long objects first: they need the most room.
    for category in sorted(SPECS, key=lambda name: -SPECS[name].size_m[0]):
        wanted = SPECS[category].count * (path_m + _END_MARGIN_M) / 100.0
        for index in range(max(int(wanted + rng.random()), 1)):
            # A scene shows every category from its beginning.
            latest_s = DURATION_S - 1 if index else _EARLY_S
            actor = _place_one(category, f'{category}/{index}', city, drive, occupancy, rng, latest_s)
            if actor is None:
                continue
            actors.append(actor)
            if category == 'static_object.bicycle_rack':
                actors.extend(_fill_rack(actor, rng))
    return actors
