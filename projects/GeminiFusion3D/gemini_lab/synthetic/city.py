"""The streets of the four nuScenes locations: where roads, kerbs, pavements and blocks are.

A location is a grid of streets in the global frame, the same for every scene of that location, so
that one map image serves them all. Traffic keeps to the right.
"""
from functools import lru_cache
from typing import NamedTuple, Optional, Tuple

import numpy as np

from .seeding import make_rng

EXTENT_M = 700.0
HALF_WIDTH_M = 8.0
PAVEMENT_EDGE_M = 12.0
LANE_OFFSET_M = 1.9
STREET_COUNT = 8
# Lateral offset from a street's centre line: (lowest, highest), and how far from the next
# crossing street's centre a place must be.
ZONES = {'lane': (1.9, 1.9, 0.0), 'bike': (3.95, 3.95, 0.0), 'park': (6.3, 6.4, 17.0),
         'kerb': (5.0, 7.5, 10.0), 'walk': (8.8, 11.4, 13.5), 'verge': (8.3, 8.5, 9.0)}
MAP_TOKENS = {'singapore-onenorth': '53992ee3023e5494b90c316c183be829',
              'singapore-hollandvillage': '37819e65e09e5547b8a3ceaefba56bb2',
              'singapore-queenstown': '93406b464a165eaba6d9de76ca09f5da',
              'boston-seaport': '36092f0b03a857c6a3403e25b4b7aab3'}
LOCATIONS = tuple(MAP_TOKENS)


class Place(NamedTuple):
    """A spot to stand or drive: position (2,) in the global frame and heading in radians."""

    xy_m: np.ndarray
    yaw: float


class City(NamedTuple):
    """Centre lines of the streets that run along y (`x_m`) and along x (`y_m`); open blocks."""

    location: str
    x_m: np.ndarray
    y_m: np.ndarray
    is_open_block: np.ndarray

    def block_of(self, xy_m: np.ndarray) -> Optional[Tuple[int, int]]:
        """Returns the (column, row) of the block that holds a point, None outside the city."""
        column = int(np.searchsorted(self.x_m, xy_m[0])) - 1
        row = int(np.searchsorted(self.y_m, xy_m[1])) - 1
        inside = 0 <= column < STREET_COUNT - 1 and 0 <= row < STREET_COUNT - 1
        return (column, row) if inside else None

    def street_distance(self, xy_m: np.ndarray) -> float:
        """Returns the distance of a point to the nearest centre line."""
        return float(min(np.abs(self.x_m - xy_m[0]).min(), np.abs(self.y_m - xy_m[1]).min()))

    def snap(self, zone: str, xy_m: np.ndarray, rng: np.random.Generator) -> Optional[Place]:
        """Moves a point to the nearest place of a zone, None where there is none.

        Args:
            zone: a name of `ZONES`, or 'plaza' for anywhere in an open block.
            xy_m: wanted position (2,).
            rng: decides the street, the side, and the heading on a plaza.
        """
        if zone == 'plaza':
            return self._snap_to_plaza(xy_m, rng)
        lowest, highest, clearance_m = ZONES[zone]
        along = int(rng.integers(2))
        across = 1 - along
        lines, crossings = (self.x_m, self.y_m) if across == 0 else (self.y_m, self.x_m)
        if np.abs(crossings - xy_m[along]).min() < clearance_m:
            return None
        line = lines[np.abs(lines - xy_m[across]).argmin()]
        side = 1 if rng.random() < 0.5 else -1
        spot = np.array(xy_m, float)
        spot[across] = line + side * rng.uniform(lowest, highest)
        yaw = (np.pi / 2 if side > 0 else -np.pi / 2) if across == 0 else (np.pi if side > 0 else 0.0)
        return Place(spot, yaw)

    def _snap_to_plaza(self, xy_m: np.ndarray, rng: np.random.Generator) -> Optional[Place]:
        block = self.block_of(xy_m)
        if block is None or not self.is_open_block[block]:
            return None
        if self.street_distance(xy_m) < PAVEMENT_EDGE_M + 1.5:
            return None
        return Place(np.array(xy_m, float), float(rng.uniform(-np.pi, np.pi)))


@lru_cache(maxsize=None)
def build_city(location: str) -> City:
    """Returns the street grid of a location; it depends on the location's name alone."""
    rng = make_rng(0, 'streets', location)
    lines = [90.0 + np.concatenate([[0.0], np.cumsum(rng.uniform(66, 78, STREET_COUNT - 1))])
             for _ in range(2)]
    is_open = rng.random((STREET_COUNT - 1, STREET_COUNT - 1)) < 0.55
    return City(location, lines[0].round(1), lines[1].round(1), is_open)


def is_road(city: City, x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
    """Tells which cells of a grid with columns at `x_m` and rows at `y_m` are drivable."""
    on_x = (np.abs(x_m[:, None] - city.x_m) < HALF_WIDTH_M).any(1)
    on_y = (np.abs(y_m[:, None] - city.y_m) < HALF_WIDTH_M).any(1)
    return on_y[:, None] | on_x[None, :]


def draw_map_mask(city: City) -> np.ndarray:
    """Returns the map image of a location: uint8, 0.1 m per pixel, row 0 at the highest y."""
    axis_m = (np.arange(int(EXTENT_M * 10)) + 0.5) / 10
    return np.where(is_road(city, axis_m, axis_m[::-1]), 255, 0).astype(np.uint8)
