"""A sweep has the layout of the real files and lies on the surfaces of the world."""
import numpy as np

from gemini_lab.synthetic.lidar import COLUMNS, RINGS, scan
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
    assert len(on_roof) > 2000
    np.testing.assert_allclose(on_roof[:, 2], 1.58, atol=1e-3)


def test_rain_swallows_returns():
    world, ego_from_lidar = World([], np.zeros(2)), build_rig(0, 'log')[LIDAR].ego_from_sensor
    returns = [np.count_nonzero(scan(world, world.at(0.0, np.zeros(2)), ego_from_lidar,
                                     ego_from_lidar, make_weather(0, name),
                                     np.random.default_rng(0))[:, 3]) for name in
               ('scene-0061', 'scene-0553')]
    assert returns[1] < returns[0]
