"""Ten corruptions by their published names and eight failures, each of the sensors that it is of."""
import pytest

from gemini_lab.corruptions.catalogue import CATALOGUE, CORRUPTIONS, FAILURES, find_corruption

LIDAR_ONLY = {'beamsreducing', 'pointsreducing', 'spatialmisalignment'}
CAMERAS_ONLY = {'brightness', 'dark', 'missingcamera'}
BOTH = {'fog', 'motionblur', 'snow', 'temporalmisalignment'}


def test_the_ten_corruptions_touch_the_sensors_that_the_original_touches():
    assert set(CORRUPTIONS) == LIDAR_ONLY | CAMERAS_ONLY | BOTH and len(CORRUPTIONS) == 10
    touched = {name: (one.touches_cameras, one.touches_lidar) for name, one in CORRUPTIONS.items()}
    assert {name for name, sensors in touched.items() if sensors == (False, True)} == LIDAR_ONLY
    assert {name for name, sensors in touched.items() if sensors == (True, False)} == CAMERAS_ONLY
    assert {name for name, sensors in touched.items() if sensors == (True, True)} == BOTH


def test_each_failure_is_of_one_sensor():
    assert {name for name, one in FAILURES.items() if one.touches_lidar and not one.touches_cameras} == {
        'limitedfov', 'objectfailure', 'lidardrop'}
    assert {name for name, one in FAILURES.items() if one.touches_cameras and not one.touches_lidar} == {
        'dirtylens', 'calibrationnoise', 'stuckcamera', 'viewdrop'}
    assert {name for name, one in CATALOGUE.items() if one.radar is not None} == {'radardrop'}
    assert not FAILURES['radardrop'].touches_cameras and not FAILURES['radardrop'].touches_lidar
    assert list(CATALOGUE) == [*CORRUPTIONS, *FAILURES] and len(CATALOGUE) == 18


def test_only_late_and_stuck_sensors_need_an_earlier_keyframe():
    assert {name: one.keyframes_back for name, one in CATALOGUE.items() if one.needs_previous} == {
        'temporalmisalignment': (1, 1, 1), 'stuckcamera': (1, 2, 4)}


def test_an_unknown_corruption_is_named():
    with pytest.raises(ValueError, match="got corruption 'rain'; expected one of beamsreducing, brightness"):
        find_corruption('rain')
