"""A sweep has the layout of the real files and lies on the surfaces of the world."""
import numpy as np
import pytest
from pyquaternion import Quaternion

from gemini_lab.synthetic.lidar import BEAMS, COLUMNS, RINGS, scan
from gemini_lab.synthetic.placement import Actor
from gemini_lab.synthetic.rig import LIDAR, build_rig
from gemini_lab.synthetic.weather import make_weather
from gemini_lab.synthetic.world import World


def empty_street_sweep():
    """One sweep above an endless plane, and the sensor's pose."""
    world = World([], np.zeros(2))
    ego_from_lidar = build_rig(0, 'log')[LIDAR].ego_from_sensor
    sweep = scan(world, world.at(0.0, np.zeros(2)), ego_from_lidar, ego_from_lidar,
                 make_weather(0, 'scene-0061'), np.random.default_rng(0))
    return sweep, ego_from_lidar


def test_a_sweep_is_columns_of_32_rings():
    sweep, _pose = empty_street_sweep()
    assert sweep.shape == (RINGS * COLUMNS, 5) and sweep.dtype == np.float32
    np.testing.assert_array_equal(sweep[:64, 4], np.tile(np.arange(32), 2))
    assert sweep[:, 3].min() >= 0 and sweep[:, 3].max() <= 255
    np.testing.assert_array_equal(sweep[:, 3], np.floor(sweep[:, 3]))


def test_beams_of_the_lowest_ring_point_down_by_thirty_degrees():
    sweep, _pose = empty_street_sweep()
    lowest = sweep[(sweep[:, 4] == 0) & (np.linalg.norm(sweep[:, :3], axis=1) > 0.1)]
    angle = np.degrees(np.arctan2(lowest[:, 2], np.linalg.norm(lowest[:, :2], axis=1)))
    np.testing.assert_allclose(angle, -30.67, atol=0.01)


def test_far_points_lie_on_the_ground_and_near_ones_on_the_roof():
    sweep, ego_from_lidar = empty_street_sweep()
    points = sweep[:, :3] @ ego_from_lidar[:3, :3].T + ego_from_lidar[:3, 3]
    range_m = np.linalg.norm(sweep[:, :2], axis=1)
    far = points[range_m > 2.2]
    assert len(far) > 8000
    assert np.abs(far[:, 2]).max() < 0.1
    on_roof = points[(range_m > 0.1) & (range_m < 1.0)]
    # A ninth of a sweep, as in real ones.
    assert 0.1 < len(on_roof) / len(sweep) < 0.13
    np.testing.assert_allclose(on_roof[:, 2], 1.5, atol=1e-3)


def test_the_lowest_ring_sees_the_roof_where_it_is_wide_enough():
    mount = build_rig(0, 'log')[LIDAR]._replace(
        rotation=Quaternion(axis=[0, 0, 1], degrees=-90), translation_m=(0.94, 0, 1.84))
    world = World([], np.zeros(2))
    sweep = scan(world, world.at(0.0, np.zeros(2)), mount.ego_from_sensor, mount.ego_from_sensor,
                 make_weather(0, 'scene-0061'), np.random.default_rng(0))
    is_near = (np.linalg.norm(sweep[:, :3], axis=1) < 1) & (sweep[:, 3] > 0)
    # 0.34 m below the sensor, ring 0 is 0.34 / tan(30.67) = 0.573 m away; the roof is 0.53 m wide to a side:
    # asin(0.53 / 0.573) = 67.6 degrees of 90 hit it, to the front and to the back.
    assert is_near[sweep[:, 4] == 0].mean() == pytest.approx(67.6 / 90, abs=0.01)
    # Ring 12 goes down by 14.7 degrees: 1.30 m, beyond the roof on all sides.
    assert not is_near[sweep[:, 4] == 12].any()


def wall_sweep(range_m, reflectivity, is_glass=False):
    """Returns the intensities of the beams that meet a wall 40 m wide, 0 where none comes back."""
    wall = Actor('wall', '', 'building', np.array([0.5, 40.0, 30.0]), np.array([range_m, 0.0]), 0.0,
                 np.zeros(2), np.full((7, 3), 0.5), reflectivity)
    world = World([wall], np.zeros(2))
    world.face_is_glass[:] = is_glass
    moment, ego_from_lidar = world.at(0.0, np.zeros(2)), build_rig(0, 'log')[LIDAR].ego_from_sensor
    hits = moment.cast(ego_from_lidar[:3, 3], BEAMS @ ego_from_lidar[:3, :3].T)
    sweep = scan(world, moment, ego_from_lidar, ego_from_lidar, make_weather(0, 'scene-0061'),
                 np.random.default_rng(0))
    is_wall = (hits.object_index == 1) & (np.abs(hits.normal[:, 0]) > 0.99) & (np.abs(BEAMS[:, 0]) < 0.1)
    return sweep[is_wall & (sweep[:, 4] > 15), 3]


def test_intensity_follows_the_surface_and_not_the_range():
    # 255 times 0.2, the median of the speckle is 1.
    for range_m in (8, 25):
        assert np.median([one for one in wall_sweep(range_m, 0.2) if one]) == pytest.approx(51, rel=0.15)


def test_panes_and_dark_surfaces_return_less_often():
    share = {key: np.mean(wall_sweep(25, *key) > 0) for key in ((0.2, False), (0.01, False), (0.2, True))}
    assert share[0.2, False] > 0.9 > 0.75 > share[0.01, False]
    assert share[0.2, True] == pytest.approx(0.3, abs=0.06)


def test_rain_swallows_returns():
    world, ego_from_lidar = World([], np.zeros(2)), build_rig(0, 'log')[LIDAR].ego_from_sensor
    returns = [np.count_nonzero(scan(world, world.at(0.0, np.zeros(2)), ego_from_lidar,
                                     ego_from_lidar, make_weather(0, name),
                                     np.random.default_rng(0))[:, 3]) for name in
               ('scene-0061', 'scene-0553')]
    assert returns[1] < returns[0]
