"""Sensor clocks and mounts are those of the real car."""
import numpy as np

from gemini_lab.synthetic.rig import CAMERAS, CHANNELS, LIDAR, build_rig, plan_shots

START_US = 1532402927647951


def test_cameras_look_where_their_names_say():
    rig = build_rig(0, 'log')
    expected = {'CAM_FRONT': 0, 'CAM_FRONT_LEFT': 55, 'CAM_FRONT_RIGHT': -56, 'CAM_BACK': 180,
                'CAM_BACK_LEFT': 109, 'CAM_BACK_RIGHT': -111}
    for channel in CAMERAS:
        forward = rig[channel].ego_from_sensor[:3, 2]
        degrees = np.degrees(np.arctan2(forward[1], forward[0])) - expected[channel]
        assert abs((degrees + 180) % 360 - 180) < 1.5
        assert abs(forward[2]) < 0.03
        # Image down is the car's down.
        assert rig[channel].ego_from_sensor[2, 1] < -0.99


def test_the_lidar_looks_forward_along_y():
    ego_from_lidar = build_rig(0, 'log')[LIDAR].ego_from_sensor
    np.testing.assert_allclose(ego_from_lidar[:3, 1], [1, 0, 0], atol=0.03)
    np.testing.assert_allclose(ego_from_lidar[:3, 3], [0.944, 0, 1.84], atol=0.02)


def test_keyframes_come_twice_a_second_with_ten_lidar_sweeps_each():
    shots = plan_shots(0, 'scene-0061', START_US, 3, all_sweeps=False)
    assert sorted(shots) == sorted(CHANNELS)
    lidar = shots[LIDAR]
    assert len(lidar) == 21
    assert lidar[0].timestamp_us == START_US and lidar[0].is_key_frame
    assert [shot.sample_index for shot in lidar if shot.is_key_frame] == [0, 1, 2]
    # A sweep belongs to the sample that follows it.
    assert [shot.sample_index for shot in lidar[1:11]] == [1] * 10
    gaps_us = np.diff([shot.timestamp_us for shot in lidar])
    assert (np.abs(gaps_us - 50_000) <= 600).all()


def test_key_images_precede_the_lidar_by_the_real_offsets():
    shots = plan_shots(0, 'scene-0061', START_US, 2, all_sweeps=False)
    assert [shot.timestamp_us - START_US for shot in shots['CAM_FRONT']] == [-35491, 464509]
    assert shots['CAM_BACK_LEFT'][0].timestamp_us - START_US == -528


def test_all_sweeps_are_twelve_and_thirteen_per_second():
    shots = plan_shots(0, 'scene-0061', START_US, 5, all_sweeps=True)
    assert len(shots['CAM_BACK']) == 4 * 6 + 1
    assert 4 * 6.5 - 1 <= len(shots['RADAR_FRONT']) <= 4 * 6.5 + 3
    for channel in ('CAM_BACK', 'RADAR_FRONT'):
        assert sum(shot.is_key_frame for shot in shots[channel]) == 5
        assert [shot.timestamp_us for shot in shots[channel]] == sorted(
            shot.timestamp_us for shot in shots[channel])


def test_a_key_radar_scan_is_the_nearest_to_its_sample():
    for shot in plan_shots(0, 'scene-0061', START_US, 4, all_sweeps=False)['RADAR_FRONT']:
        assert abs(shot.timestamp_us - START_US - shot.sample_index * 500_000) <= 38_462
