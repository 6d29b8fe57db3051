"""Every split that is evaluated has night, rain, and dry days."""
import pytest
from nuscenes.utils.splits import mini_train, mini_val, val

from gemini_lab.synthetic.weather import describe, is_night, is_rain, make_weather


@pytest.mark.parametrize('split', [mini_train, mini_val, val], ids=['mini_train', 'mini_val', 'val'])
def test_a_split_has_night_rain_and_dry_days(split):
    assert any(map(is_night, split)) and any(map(is_rain, split))
    assert any(not is_night(name) and not is_rain(name) for name in split)


def test_a_rainy_night_is_dark_wet_and_called_so():
    # 916 is 900 or more and divisible by 4; divided by 7 it leaves 6.
    assert is_night('scene-0916') and is_rain('scene-0916')
    assert describe('scene-0916', ('bus', 'turn left')) == 'Night, rain, bus, turn left'
    rainy_night, night, rain = (make_weather(0, name) for name in ('scene-0916', 'scene-1100', 'scene-0553'))
    assert rainy_night.is_night and rainy_night.headlights == night.headlights > rain.headlights
    assert rainy_night.lidar_loss == rain.lidar_loss > night.lidar_loss
