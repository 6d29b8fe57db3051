"""Radar files are what the devkit's reader expects, with Doppler of the right sign."""
import numpy as np
from nuscenes.utils.data_classes import RadarPointCloud

from gemini_lab.synthetic.placement import Actor
from gemini_lab.synthetic.radar import sense, to_pcd
from gemini_lab.synthetic.world import World


def sense_car(velocity_mps, ego_velocity_mps):
    """Returns of one car 20 m ahead of a radar at half a metre's height."""
    car = Actor('car', 'vehicle.car', 'building', np.array([4.0, 2.0, 1.6]), np.array([20.0, 0]),
                0.0, np.array(velocity_mps, float), np.full((7, 3), 0.5), 0.3)
    world = World([car], np.zeros(2))
    local_from_radar = np.eye(4)
    local_from_radar[2, 3] = 0.5
    return sense(world, world.at(0.0, np.zeros(2)), local_from_radar,
                 np.array(ego_velocity_mps, float), np.random.default_rng(0))


def test_the_devkit_reads_back_what_was_measured(tmp_path):
    rows = sense_car((0, 0), (0, 0))
    (tmp_path / 'scan.pcd').write_bytes(to_pcd(rows))
    cloud = RadarPointCloud.from_file(str(tmp_path / 'scan.pcd'))
    assert cloud.points.shape == (18, len(rows)) and len(rows) > 0
    np.testing.assert_allclose(cloud.points[0], rows['x'])
    np.testing.assert_allclose(cloud.points[0], 18, atol=0.5)


def test_an_empty_scan_is_read_as_empty(tmp_path):
    (tmp_path / 'scan.pcd').write_bytes(to_pcd(sense_car((0, 0), (0, 0))[:0]))
    assert RadarPointCloud.from_file(str(tmp_path / 'scan.pcd')).points.shape == (18, 0)


def test_doppler_is_relative_and_its_compensation_is_over_ground():
    # The car leaves with 5 m/s, the ego follows with 8 m/s: they approach with 3 m/s.
    rows = sense_car((5, 0), (8, 0))
    np.testing.assert_allclose(rows['vx'], -3, atol=0.4)
    np.testing.assert_allclose(rows['vx_comp'], 5, atol=0.4)
    assert set(rows['dyn_prop']) == {0}
