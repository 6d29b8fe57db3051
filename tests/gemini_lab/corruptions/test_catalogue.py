"""Ten corruptions by their published names, each of the sensors that MultiCorrupt corrupts."""
import pytest

from gemini_lab.corruptions.catalogue import CORRUPTIONS, find_corruption

LIDAR_ONLY = {'beamsreducing', 'pointsreducing', 'spatialmisalignment'}
CAMERAS_ONLY = {'brightness', 'dark', 'missingcamera'}
BOTH = {'fog', 'motionblur', 'snow', 'temporalmisalignment'}


def test_the_ten_corruptions_touch_the_sensors_that_the_original_touches():
    assert set(CORRUPTIONS) == LIDAR_ONLY | CAMERAS_ONLY | BOTH and len(CORRUPTIONS) == 10
    touched = {name: (one.touches_cameras, one.touches_lidar) for name, one in CORRUPTIONS.items()}
    assert {name for name, sensors in touched.items() if sensors == (False, True)} == LIDAR_ONLY
    assert {name for name, sensors in touched.items() if sensors == (True, False)} == CAMERAS_ONLY
    assert {name for name, sensors in touched.items() if sensors == (True, True)} == BOTH


def test_only_late_sensors_need_the_keyframe_before():
    assert [name for name, one in CORRUPTIONS.items() if one.needs_previous] == ['temporalmisalignment']


def test_an_unknown_corruption_is_named():
    with pytest.raises(ValueError, match="got corruption 'rain'; expected one of beamsreducing, brightness"):
        find_corruption('rain')
