"""Streets: places lie where their zone says, the map is white where one may drive."""
import numpy as np
import pytest

from gemini_lab.synthetic.city import HALF_WIDTH_M, LOCATIONS, ZONES, build_city, draw_map_mask


@pytest.mark.parametrize('zone', sorted(ZONES))
def test_a_place_lies_at_the_offset_of_its_zone(zone):
    city, rng = build_city('boston-seaport'), np.random.default_rng(0)
    lowest, highest, _clearance = ZONES[zone]
    found = [city.snap(zone, rng.uniform(200, 500, 2), rng) for _ in range(100)]
    places = [place for place in found if place is not None]
    assert len(places) > 10
    for place in places:
        offsets = np.concatenate([np.abs(city.x_m - place.xy_m[0]),
                                  np.abs(city.y_m - place.xy_m[1])])
        assert ((offsets >= lowest - 1e-6) & (offsets <= highest + 1e-6)).any()


def test_traffic_keeps_to_the_right():
    city, rng = build_city('singapore-onenorth'), np.random.default_rng(1)
    for _ in range(50):
        place = city.snap('lane', rng.uniform(200, 500, 2), rng)
        right = np.array([np.sin(place.yaw), -np.cos(place.yaw)])
        lines = city.x_m if abs(right[0]) > 0.5 else city.y_m
        axis = 0 if abs(right[0]) > 0.5 else 1
        line = lines[np.abs(lines - place.xy_m[axis]).argmin()]
        assert (place.xy_m[axis] - line) * right[axis] == pytest.approx(1.9)


@pytest.mark.parametrize('location', LOCATIONS)
def test_the_map_is_white_on_streets_and_black_inside_blocks(location):
    city = build_city(location)
    mask = draw_map_mask(city)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}

    def at(x_m, y_m):
        return mask[mask.shape[0] - 1 - int(y_m * 10), int(x_m * 10)]

    middle_y = (city.y_m[2] + city.y_m[3]) / 2
    assert at(city.x_m[3], middle_y) == 255
    assert at(city.x_m[3] + HALF_WIDTH_M - 0.2, middle_y) == 255
    assert at(city.x_m[3] + HALF_WIDTH_M + 0.2, middle_y) == 0
