"""The map expansion of a synthetic location: what the ground shows, as the areas and lines of nuScenes' maps.

Format: nuScenes map expansion 1.3, which the devkit's `NuScenesMap` opens. Layers that no street here has
(lanes with their connections, road blocks, traffic lights) are there and empty. A stop line is the place
before a zebra crossing on the right side of the road; nothing is painted there, the crossing shows it.
"""
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from .city import EXTENT_M, HALF_WIDTH_M, PAVEMENT_EDGE_M, City, is_road
from .ground import FREE_FROM_M, PARKING_LINE_M, ZEBRA_M, ZEBRA_MARGIN_M
from .seeding import make_token

VERSION = '1.3'
STOP_LINE_M = 1.0
BASEMAP_M_PER_PX = 0.5
_EMPTY: Dict[str, Any] = {
    'road_block': [], 'lane': [], 'lane_connector': [], 'traffic_light': [], 'arcline_path_3': {},
    'connectivity': {}}
Row = Dict[str, Any]
Corners = Sequence[Tuple[float, float]]


class _Street(NamedTuple):
    """A street: its centre across, the centres of the streets that it crosses, whether it runs along y."""

    centre_m: float
    crossings_m: np.ndarray
    runs_along_y: bool

    def area(self, across: Tuple[float, float], along: Tuple[float, float]) -> BaseGeometry:
        """Returns a rectangle; `across` is counted from the centre line to the right when looking along."""
        # Looking along +y, x is right; looking along +x, y is left.
        sign = 1 if self.runs_along_y else -1
        low, high = sorted(self.centre_m + sign * value for value in across)
        return (box(low, along[0], high, along[1]) if self.runs_along_y
                else box(along[0], low, along[1], high))

    def line(self, across_m: float, along: Tuple[float, float]) -> List[Tuple[float, float]]:
        """Returns a line along the street, at a distance from its centre line."""
        at = self.centre_m + across_m
        return [(at, end) if self.runs_along_y else (end, at) for end in along]

    def free_stretches(self) -> Iterator[Tuple[float, float]]:
        """Yields from where to where no crossing interrupts the markings."""
        starts = [0.0, *(self.crossings_m + FREE_FROM_M)]
        yield from zip(starts, [*(self.crossings_m - FREE_FROM_M), EXTENT_M])


class _Map:
    """Collects the rows of a map."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.rows: Dict[str, List[Row]] = {name: [] for name in (
            'polygon', 'line', 'node', 'drivable_area', 'road_segment', 'ped_crossing', 'walkway',
            'stop_line', 'carpark_area', 'road_divider', 'lane_divider')}

    def add(self, layer: str, **fields: Any) -> str:
        """Adds a row to a layer and returns its token."""
        token = make_token(0, 'map', self.location, layer, str(len(self.rows[layer])))
        self.rows[layer].append({'token': token, **fields})
        return token

    def add_nodes(self, corners: Corners) -> List[str]:
        """Adds corners and returns their tokens."""
        return [self.add('node', x=round(float(x), 3), y=round(float(y), 3)) for x, y in corners]

    def add_polygon(self, shape: BaseGeometry) -> str:
        """Adds an area, holes included, and returns its token."""
        # The first corner ends a ring, too, in shapely; not in a map.
        rings = [self.add_nodes(list(ring.coords)[:-1]) for ring in (shape.exterior, *shape.interiors)]
        return self.add('polygon', exterior_node_tokens=rings[0],
                        holes=[{'node_tokens': ring} for ring in rings[1:]])

    def add_line(self, corners: Corners) -> str:
        """Adds a line and returns its token."""
        return self.add('line', node_tokens=self.add_nodes(corners))


def build_map(city: City) -> Dict[str, Any]:
    """Returns the content of `maps/expansion/<location>.json`."""
    streets = ([_Street(centre, city.y_m, True) for centre in city.x_m]
               + [_Street(centre, city.x_m, False) for centre in city.y_m])
    rows = _Map(city.location)
    for street in streets:
        _add_street(rows, street)
    for shape in _pavements(city):
        rows.add('walkway', polygon_token=rows.add_polygon(shape))
    return {'version': VERSION, 'canvas_edge': [EXTENT_M, EXTENT_M], **_EMPTY, **rows.rows}


def _add_street(rows: _Map, street: _Street) -> None:
    road = rows.add_polygon(street.area((-HALF_WIDTH_M, HALF_WIDTH_M), (0, EXTENT_M)))
    segment = rows.add('road_segment', polygon_token=road, is_intersection=False, drivable_area_token='')
    rows.add('drivable_area', polygon_tokens=[road])
    for along in street.free_stretches():
        rows.add('road_divider', line_token=rows.add_line(street.line(0, along)), road_segment_token=segment)
        for side in (-1, 1):
            line = rows.add_line(street.line(side * PARKING_LINE_M, along))
            rows.add('lane_divider', line_token=line, lane_divider_segments=[])
            parking = street.area((side * PARKING_LINE_M, side * HALF_WIDTH_M), along)
            rows.add('carpark_area', polygon_token=rows.add_polygon(parking), orientation=0.0,
                     road_block_token='')
    zebra_half_m = HALF_WIDTH_M - ZEBRA_MARGIN_M
    for crossing in street.crossings_m:
        # Ahead of the crossing street, looking back, and behind it, looking ahead.
        for side in (-1, 1):
            near, far = (crossing + side * distance for distance in ZEBRA_M)
            zebra = street.area((-zebra_half_m, zebra_half_m), (min(near, far), max(near, far)))
            token = rows.add('ped_crossing', polygon_token=rows.add_polygon(zebra),
                             road_segment_token=segment)
            end = far + side * STOP_LINE_M
            place = street.area((0, -side * PARKING_LINE_M), (min(far, end), max(far, end)))
            rows.add('stop_line', polygon_token=rows.add_polygon(place), stop_line_type='PED_CROSSING',
                     ped_crossing_tokens=[token], traffic_light_tokens=[], road_block_token='')


def _pavements(city: City) -> Iterator[BaseGeometry]:
    """Yields the pavement around every block, those at the edge of the map included."""
    for low_x, high_x in _blocks(city.x_m):
        for low_y, high_y in _blocks(city.y_m):
            whole, inner = (box(low_x + width * (low_x > 0), low_y + width * (low_y > 0),
                                high_x - width * (high_x < EXTENT_M), high_y - width * (high_y < EXTENT_M))
                            for width in (HALF_WIDTH_M, PAVEMENT_EDGE_M))
            yield whole.difference(inner)


def _blocks(centres_m: np.ndarray) -> List[Tuple[float, float]]:
    edges = [0.0, *centres_m.tolist(), EXTENT_M]
    return list(zip(edges, edges[1:]))


def draw_basemap(city: City) -> np.ndarray:
    """Returns the picture that the devkit draws below a map: uint8, row 0 at the highest y."""
    axis_m = (np.arange(round(EXTENT_M / BASEMAP_M_PER_PX)) + 0.5) * BASEMAP_M_PER_PX
    return np.where(is_road(city, axis_m, axis_m[::-1]), 110, 200).astype(np.uint8)
