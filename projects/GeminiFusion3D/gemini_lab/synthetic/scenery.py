"""What nobody annotates: buildings, trees, lamps, and distractors that resemble a class.

Grey bollards have the shape of traffic cones, hedges and walls that of barriers, painted posts the
colours of people, billboards show pictures of cars.
"""
from typing import List, Sequence, Tuple

import numpy as np

from .city import PAVEMENT_EDGE_M, STREET_COUNT, City
from .ego import EgoDrive
from .placement import Actor, Occupancy, draw_place
from .seeding import make_rng

# shape: (size, size spread, body colours, per 100 m of path, zones, reflectivity)
_STREET_FURNITURE = {
    'bollard': ((0.43, 0.45, 0.8), 0.14, ((0.45, 0.46, 0.48), (0.35, 0.36, 0.38)), 9,
                ('kerb', 'walk', 'plaza'), 0.1),
    'low_wall': ((0.6, 2.33, 1.06), 0.1, ((0.55, 0.54, 0.52),), 4,
                 ('kerb', 'walk', 'plaza'), 0.1),
    'hedge': ((0.6, 2.33, 1.06), 0.1, ((0.12, 0.36, 0.1),), 4, ('kerb', 'walk', 'plaza'), 0.1),
    'pole': ((0.28, 0.28, 1.9), 0.1, ((0.75, 0.2, 0.2), (0.2, 0.3, 0.65), (0.5, 0.5, 0.5)), 8,
             ('walk', 'verge', 'plaza'), 0.1),
    'billboard': ((0.25, 4.2, 2.3), 0.05, ((0.9, 0.9, 0.85),), 4, ('walk', 'plaza'), 0.2),
    'lamp': ((1.6, 1.6, 6.5), 0.05, ((0.4, 0.42, 0.4),), 6, ('verge',), 0.1),
    'tree': ((3.6, 3.6, 5.5), 0.15, ((0.15, 0.38, 0.1), (0.22, 0.42, 0.1)), 14,
             ('verge', 'plaza'), 0.1),
}
_FACADES = ((0.62, 0.52, 0.44), (0.7, 0.68, 0.63), (0.5, 0.33, 0.27), (0.45, 0.48, 0.52))
_BARK = (0.3, 0.22, 0.15)
_DARK = (0.15, 0.15, 0.16)
_GLASS = (0.16, 0.22, 0.28)
_TRIES = 40
_VIEW_M = 190.0


def _furniture(shape: str, name: str, xy_m: np.ndarray, yaw: float, size_m: np.ndarray,
               body: Sequence[float], reflectivity: float) -> Actor:
    colors = np.array([body, _BARK, _DARK, _GLASS, _DARK, body, body])
    return Actor(name, '', shape, size_m, xy_m, yaw, np.zeros(2), colors, reflectivity)


def furnish(seed: int, scene_name: str, city: City, drive: EgoDrive, occupancy: Occupancy) -> List[Actor]:
    """Returns trees, lamps and distractors along the path; they take space in `occupancy`."""
    rng = make_rng(seed, scene_name, 'furniture')
    path_m = float(np.linalg.norm(np.diff(drive.xy_m, axis=0), axis=1).sum())
    actors: List[Actor] = []
    for shape, (mean_m, spread, bodies, count, zones, reflectivity) in _STREET_FURNITURE.items():
        for index in range(int(count * (path_m + 60.0) / 100.0)):
            size_m = (np.array(mean_m) * rng.normal(1, spread, 3).clip(0.8, 1.2)).round(3)
            # A lamp or a tree occupies its post, its crown is above everybody.
            foot_m = size_m * [0.2, 0.2, 1.0] if shape in ('tree', 'lamp') else size_m
            body = np.array(bodies[int(rng.integers(len(bodies)))]) * rng.uniform(0.85, 1.1)
            for _ in range(_TRIES):
                place, _time = draw_place(city, drive, rng, zones[int(rng.integers(len(zones)))], 45.0)
                if place is not None and occupancy.try_add(place.xy_m, place.yaw, np.zeros(2), foot_m):
                    actors.append(_furniture(shape, f'{shape}/{index}', place.xy_m, place.yaw,
                                             size_m, body, reflectivity))
                    break
    return actors


def _split_block(low_m: np.ndarray, high_m: np.ndarray) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Cuts a block into four lots."""
    middle = (low_m + high_m) / 2
    lots = []
    for east in (0, 1):
        for north in (0, 1):
            pick = np.array([east, north])
            lots.append((np.where(pick, middle, low_m), np.where(pick, high_m, middle)))
    return lots


def build_houses(seed: int, city: City, around_xy_m: np.ndarray) -> List[Actor]:
    """Returns the buildings of all closed blocks within view of a path (n, 2).

    Buildings depend on the seed and the location alone: scenes of one location share the city.
    """
    rng = make_rng(seed, 'houses', city.location)
    low, high = around_xy_m.min(0) - _VIEW_M, around_xy_m.max(0) + _VIEW_M
    houses: List[Actor] = []
    for column in range(STREET_COUNT - 1):
        for row in range(STREET_COUNT - 1):
            corner = np.array([city.x_m[column], city.y_m[row]]) + PAVEMENT_EDGE_M + 1
            end = np.array([city.x_m[column + 1], city.y_m[row + 1]]) - PAVEMENT_EDGE_M - 1
            for lot, (lot_low, lot_high) in enumerate(_split_block(corner, end)):
                setback, height = rng.uniform(0.3, 2.5), rng.uniform(8, 26)
                body = np.array(_FACADES[int(rng.integers(4))]) * rng.uniform(0.8, 1.1)
                reflectivity = 0.1 * rng.lognormal(0, 0.6)
                center = (lot_low + lot_high) / 2
                visible = (center > low).all() and (center < high).all()
                if city.is_open_block[column, row] or not visible:
                    continue
                size_m = np.array([*(lot_high - lot_low - 2 * setback), height])
                houses.append(_furniture('building', f'house/{column}/{row}/{lot}', center, 0.0,
                                         size_m, body, reflectivity))
    return houses
