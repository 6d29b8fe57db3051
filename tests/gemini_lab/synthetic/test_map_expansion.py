"""Synthetic maps open in the devkit and say of every place what the ground shows there."""
import json

import numpy as np
import pytest
from nuscenes.map_expansion.bitmap import BitMap
from nuscenes.map_expansion.map_api import NuScenesMap, NuScenesMapExplorer

from gemini_lab.synthetic.city import EXTENT_M, HALF_WIDTH_M, LOCATIONS, build_city
from gemini_lab.synthetic.generate import Request, generate
from gemini_lab.synthetic.ground import paint_ground
from gemini_lab.synthetic.map_expansion import build_map

CITY = build_city('boston-seaport')


@pytest.fixture(scope='module')
def devkit(tmp_path_factory):
    """The map of one location, opened by the devkit."""
    root = tmp_path_factory.mktemp('maps')
    path = root / 'maps' / 'expansion' / 'boston-seaport.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(build_map(CITY)))
    return NuScenesMap(str(root), 'boston-seaport')


def mask(devkit, layer, centre, size_m=60.0, px_per_m=8):
    """Returns the devkit's mask around a place, row 0 at the lowest y."""
    canvas = (round(size_m * px_per_m), ) * 2
    return NuScenesMapExplorer(devkit).get_map_mask((*centre, size_m, size_m), 0.0, [layer], canvas)[0] > 0


def picture(centre, size_m=60.0):
    """Returns the colours of the ground, without its grain to 12 grey levels, on the pixels of the masks."""
    paint = paint_ground(CITY, np.zeros(2), np.array([centre, centre], float))
    low = np.array(centre) - size_m / 2
    axis_m = (np.arange(480) + 0.5) / 8
    places = np.stack(np.meshgrid(low[0] + axis_m, low[1] + axis_m), -1).reshape(-1, 2)
    return (paint.colors_at(places) * 255).reshape(480, 480, 3)


def inner(cells, by=2):
    """Takes the edges of an area off, which rounding may move by a pixel or two."""
    shifted = [np.roll(cells, (down, right), (0, 1)) for down in (-by, 0, by) for right in (-by, 0, by)]
    return np.logical_and.reduce(shifted)


def test_every_row_names_rows_that_exist(devkit):
    for layer in ('ped_crossing', 'walkway', 'stop_line', 'carpark_area'):
        assert all(devkit.extract_polygon(row['polygon_token']).is_valid for row in getattr(devkit, layer))
    assert all(devkit.extract_line(row['line_token']).length > 1
               for layer in ('road_divider', 'lane_divider') for row in getattr(devkit, layer))
    # 8 x 8 junctions, four arms each; 81 blocks; 16 streets.
    layers = devkit.ped_crossing, devkit.stop_line, devkit.walkway, devkit.drivable_area
    assert [len(layer) for layer in layers] == [256, 256, 81, 16]


def test_areas_agree_with_the_paint_of_the_ground(devkit):
    centre = (CITY.x_m[3] + 4.0, CITY.y_m[2] - 7.0)
    grey = picture(centre)
    level, spread = grey.mean(axis=2), np.ptp(grey, axis=2)
    road, walkway = (mask(devkit, name, centre) for name in ('drivable_area', 'walkway'))
    # Asphalt is 73, lines on it are brighter; pavements 147, their joints 25 less.
    is_line = level > 110
    assert np.abs(level[inner(road) & ~is_line].mean() - 73.3) < 2
    assert np.abs(np.median(level[inner(walkway)]) - 147) < 4
    assert level[inner(~road & ~walkway, 3)].size > 1000 and road.mean() > 0.2 and walkway.mean() > 0.1
    zebra = mask(devkit, 'ped_crossing', centre)
    # Half of a crossing is bars, of 200.
    assert 0.4 < (level[inner(zebra)] > 160).mean() < 0.6
    yellow = (spread > 80) & (level > 100)
    divider = mask(devkit, 'road_divider', centre)
    near = np.logical_or.reduce([np.roll(divider, (down, right), (0, 1))
                                 for down in (-2, 0, 2) for right in (-2, 0, 2)])
    assert yellow.sum() > 50 and near[yellow].mean() > 0.95


def test_white_lines_bound_the_places_of_parked_cars(devkit):
    centre = (CITY.x_m[3], (CITY.y_m[2] + CITY.y_m[3]) / 2)
    level = picture(centre).mean(axis=2)
    parking = mask(devkit, 'carpark_area', centre)
    middle_row = level[240]
    white = np.flatnonzero((middle_row > 150) & mask(devkit, 'drivable_area', centre)[240])
    assert white.size and min(np.abs(np.flatnonzero(parking[240]) - column).min() for column in white) <= 2
    assert parking.any() and not (parking & ~mask(devkit, 'drivable_area', centre)).any()


def test_cars_stop_on_the_right_before_the_crossing(devkit):
    # Coming from below on a street along y: x right of its centre line, y before the zebra.
    x_m, y_m = CITY.x_m[4], CITY.y_m[4]
    at = devkit.layers_on_point
    assert at(x_m + 2, y_m - HALF_WIDTH_M - 4.5)['stop_line']
    assert not at(x_m - 2, y_m - HALF_WIDTH_M - 4.5)['stop_line']
    assert at(x_m - 2, y_m + HALF_WIDTH_M + 4.5)['stop_line']
    # Coming from the left on a street along x: y below its centre line.
    assert at(x_m - HALF_WIDTH_M - 4.5, y_m - 2)['stop_line']
    assert not at(x_m - HALF_WIDTH_M - 4.5, y_m + 2)['stop_line']
    token = at(x_m + 2, y_m - HALF_WIDTH_M - 4.5)['stop_line']
    crossing, = devkit.get('stop_line', token)['cue']
    assert at(x_m, y_m - HALF_WIDTH_M - 2)['ped_crossing'] == crossing['token']


def test_a_dataset_has_the_maps_of_its_locations_and_gets_them_later(synthetic_root, tmp_path):
    rows = json.loads((synthetic_root / 'v1.0-mini' / 'log.json').read_text())
    locations = {row['location'] for row in rows}
    maps = synthetic_root / 'maps'
    assert {path.stem for path in (maps / 'expansion').glob('*.json')} == locations <= set(LOCATIONS)
    for location in locations:
        assert NuScenesMap(str(synthetic_root), location).canvas_edge == [EXTENT_M, EXTENT_M]
        assert BitMap(str(synthetic_root), location, 'basemap').image.shape == (1400, 1400)
    request = Request(out=tmp_path, version='v1.0-mini', scenes=1, samples_per_scene=2, workers=1)
    generate(request)
    made, = (tmp_path / 'maps' / 'expansion').glob('*.json')
    before = made.read_bytes()
    made.unlink()
    assert not generate(request) and made.read_bytes() == before
