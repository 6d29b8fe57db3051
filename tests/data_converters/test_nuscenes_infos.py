"""Records against the devkit's own transforms and against numbers known beforehand."""
import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from tiny_nuscenes import MOVING_CAR_MPS, token, write_tiny_nuscenes

from geminifusion3d.data_converters.nuscenes_infos import scene_infos
from geminifusion3d.nuscenes_facts import CAMERA_NAMES


@pytest.fixture(scope='module')
def nusc(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    """The opened tables of a tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), keyframes=4)
    return NuScenes('v1.0-mini', str(root), verbose=False)


@pytest.fixture(scope='module')
def infos(nusc: NuScenes) -> list:
    """The records of one scene."""
    return scene_infos(nusc, token('scene-0061'), max_sweeps=10)


def instance(info: dict, name: str) -> dict:
    wanted = token('scene-0061', name)
    return next(one for one in info['instances'] if one['instance_token'] == wanted)


def test_keyframes_come_in_the_order_of_time(infos):
    assert np.diff([info['timestamp_us'] for info in infos]).tolist() == [500_000] * 3
    assert infos[0]['timestamp'] == pytest.approx(1_532_402_900.0, abs=1e-6)


def test_boxes_in_the_lidar_frame_are_the_devkits(nusc, infos):
    for info in infos:
        _, boxes, _ = nusc.get_sample_data(info['lidar_points']['sample_data_token'])
        by_token = {box.token: box for box in boxes}
        for one in info['instances']:
            box = by_token[one['annotation_token']]
            width_m, length_m, height_m = box.wlh
            np.testing.assert_allclose(one['bbox_3d'][:3], box.center, atol=1e-8)
            assert one['bbox_3d'][3:6] == [length_m, width_m, height_m]
            heading = box.orientation.rotation_matrix[:2, 0]
            assert one['bbox_3d'][6] == pytest.approx(np.arctan2(heading[1], heading[0]))


def test_lidar2cam_takes_boxes_to_where_the_devkit_sees_them(nusc, infos):
    info = infos[2]
    for name in CAMERA_NAMES:
        camera = info['images'][name]
        lidar2cam = np.array(camera['lidar2cam'])
        for box in nusc.get_sample_data(camera['sample_data_token'], box_vis_level=0)[1]:
            one = next(one for one in info['instances'] if one['annotation_token'] == box.token)
            center_m = lidar2cam @ [*one['bbox_3d'][:3], 1]
            np.testing.assert_allclose(center_m[:3], box.center, atol=1e-7)


def test_lidar2cam_accounts_for_the_cars_motion_between_the_shots(infos):
    # 35 ms at 8 m/s: the camera was 0.28 m further back than a rigid car would have it.
    info, camera = infos[0], infos[0]['images']['CAM_FRONT']
    rigid = np.linalg.inv(camera['cam2ego']) @ np.array(info['lidar_points']['lidar2ego'])
    shift_m = np.linalg.norm((np.array(camera['lidar2cam']) - rigid)[:3, 3])
    assert shift_m == pytest.approx(0.28, abs=0.02)


def test_sweeps_are_the_newest_first_and_fewer_at_the_start(infos):
    assert infos[0]['lidar_sweeps'] == []
    for info in infos[1:]:
        lags_us = [info['timestamp_us'] - sweep['timestamp_us'] for sweep in info['lidar_sweeps']]
        assert lags_us == list(range(50_000, 500_001, 50_000))
    # The tenth sweep before a keyframe is the keyframe before it.
    assert infos[1]['lidar_sweeps'][-1]['lidar_points']['lidar_path'] == \
        infos[0]['lidar_points']['lidar_path']


def test_fewer_sweeps_are_listed_if_asked_for(nusc):
    infos = scene_infos(nusc, token('scene-0061'), max_sweeps=3)
    assert [len(info['lidar_sweeps']) for info in infos] == [0, 3, 3, 3]


def test_velocity_is_in_the_lidar_frame_and_unknown_for_a_single_sight(infos):
    for info in infos:
        velocity = instance(info, 'moving')['velocity']
        assert np.linalg.norm(velocity) == pytest.approx(MOVING_CAR_MPS, rel=1e-3)
        lidar_from_global = np.linalg.inv(
            np.array(info['ego2global']) @ np.array(info['lidar_points']['lidar2ego']))
        np.testing.assert_allclose(velocity, MOVING_CAR_MPS * lidar_from_global[:2, 0], atol=1e-6)
        np.testing.assert_allclose(instance(info, 'parked')['velocity'], 0, atol=1e-6)
    assert np.isnan(instance(infos[0], 'once')['velocity']).all()


def test_labels_follow_the_class_list_and_void_objects_stay_marked(infos):
    labels = {name: instance(infos[0], name)['bbox_label_3d']
              for name in ('parked', 'dog', 'unseen', 'radar', 'once')}
    assert labels == {'parked': 0, 'dog': -1, 'unseen': 8, 'radar': 1, 'once': 5}
    assert instance(infos[0], 'dog')['category'] == 'animal'


def test_a_box_is_valid_if_lidar_or_radar_saw_it(infos):
    assert instance(infos[0], 'parked')['bbox_3d_isvalid'] is True
    assert instance(infos[0], 'radar')['bbox_3d_isvalid'] is True
    assert instance(infos[0], 'unseen')['bbox_3d_isvalid'] is False


def test_attribute_and_visibility_are_names_and_numbers(infos):
    assert instance(infos[0], 'moving')['attribute'] == 'vehicle.moving'
    assert instance(infos[0], 'once')['attribute'] == ''
    assert instance(infos[0], 'dog')['visibility'] == 3
