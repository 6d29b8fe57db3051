"""The poses of a scene's shots against the devkit's rows, one by one."""
import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from pyquaternion import Quaternion
from tiny_nuscenes import token, write_tiny_nuscenes

from geminifusion3d.data_converters.sensor_poses import SensorPoses


@pytest.fixture(scope='module')
def nusc(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    """The opened tables of a tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), keyframes=2)
    return NuScenes('v1.0-mini', str(root), verbose=False)


@pytest.fixture(scope='module')
def shots(nusc: NuScenes) -> list:
    """Two cameras and two sweeps of a scene, the LiDAR last: its mounting is not the first row's."""
    sample = nusc.get('sample', nusc.get('scene', token('scene-0061'))['last_sample_token'])
    lidar = nusc.get('sample_data', sample['data']['LIDAR_TOP'])
    return [nusc.get('sample_data', sample['data'][name]) for name in ('CAM_BACK', 'CAM_FRONT_LEFT')] + [
        nusc.get('sample_data', lidar['prev']), lidar]


def matrix(row: dict) -> np.ndarray:
    dst_from_src = Quaternion(row['rotation']).transformation_matrix
    dst_from_src[:3, 3] = row['translation']
    return dst_from_src


def test_every_shot_has_its_own_mounting_and_its_own_ego_pose(nusc, shots):
    poses = SensorPoses(nusc, shots)
    for shot in shots:
        mounting = matrix(nusc.get('calibrated_sensor', shot['calibrated_sensor_token']))
        ego = matrix(nusc.get('ego_pose', shot['ego_pose_token']))
        np.testing.assert_allclose(poses.ego_from_sensor(shot['token']), mounting, atol=1e-12)
        np.testing.assert_allclose(poses.global_from_ego(shot['token']), ego, atol=1e-12)
        np.testing.assert_allclose(poses.global_from_sensors([shot['token']])[0], ego @ mounting, atol=1e-9)


def test_one_sensor_is_placed_in_others_through_the_global_frame(nusc, shots):
    poses = SensorPoses(nusc, shots)
    *others, lidar = [shot['token'] for shot in shots]
    global_from = dict(zip(others + [lidar], poses.global_from_sensors(others + [lidar])))
    for other, other_from_lidar in zip(others, poses.sensors_from_sensor(others, lidar)):
        np.testing.assert_allclose(global_from[other] @ other_from_lidar, global_from[lidar], atol=1e-9)
    assert poses.sensors_from_sensor([], lidar) == []
