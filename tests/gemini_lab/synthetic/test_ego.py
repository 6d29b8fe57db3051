"""The ego turns, rolls and pitches, and its pose tables agree with its motion."""
import numpy as np
import pytest

from gemini_lab.synthetic.city import EXTENT_M, build_city
from gemini_lab.synthetic.ego import plan_drive
from gemini_lab.synthetic.scene_names import choose_scenes

NAMES = choose_scenes('v1.0-mini', None)


@pytest.mark.parametrize('name', NAMES)
def test_a_drive_turns_and_leans_and_stays_on_the_map(name):
    drive = plan_drive(0, name, build_city('boston-seaport'))
    assert np.ptp(drive.yaw) > np.deg2rad(60)
    assert 0.005 < np.abs(drive.roll).max() < 0.1
    assert 0.003 < np.abs(drive.pitch).max() < 0.1
    # The devkit crops the map 57 m around the car.
    assert drive.xy_m.min() > 57 and drive.xy_m.max() < EXTENT_M - 57


def test_the_car_drives_where_it_looks():
    drive = plan_drive(0, NAMES[0], build_city('singapore-onenorth'))
    for time_s in np.linspace(3, 19, 9):
        heading = drive.global_from_ego(time_s)[:2, 0]
        velocity = drive.velocity_at(time_s)
        assert np.linalg.norm(velocity) > 1
        assert velocity @ heading / np.linalg.norm(velocity) > 0.999


def test_the_car_stays_on_the_ground():
    drive = plan_drive(0, NAMES[0], build_city('singapore-onenorth'))
    assert drive.global_from_ego(4.2)[2, 3] == 0.0
