"""Radar returns land where the world is; augmentation, cache, packing and conversion keep them consistent."""
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import TRANSFORMS
from mmengine.registry import init_default_scope
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import RadarPointCloud

from gemini_lab.synthetic.generate import Request, generate
from gemini_lab.synthetic.radar import _ROW, to_pcd
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import pose
from geminifusion3d.info_file import open_info_file
from geminifusion3d.nuscenes_facts import RADAR_NAMES
from geminifusion3d.radar_files import RADAR_COLUMNS
from geminifusion3d.sensors import (GeminiAugmentScene, GeminiCachedLoading, GeminiLoadRadar,
                                    GeminiNuScenesDataset, GeminiPackInputs)
from geminifusion3d.sensors.augment_scene import move_points
from geminifusion3d.sensors.load_radar import radar_points


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """One synthetic scene with the radars' sweeps, converted with three of them."""
    root = tmp_path_factory.mktemp('radar')
    generate(Request(out=root, version='v1.0-mini', scenes=1, samples_per_scene=3, workers=1,
                     all_sweeps=True))
    return root, convert_nuscenes(root, 'v1.0-mini', root, max_sweeps=0, radar_sweeps=3)['mini_train']


@pytest.fixture(scope='module')
def dataset(world):
    """Its dataset, of the radars alone."""
    return GeminiNuScenesDataset(data_root=str(world[0]), ann_file=str(world[1]), pipeline=[],
                                 modality=dict(use_camera=False, use_lidar=False, use_radar=True))


def test_returns_are_where_the_devkits_chain_of_poses_puts_them(world, dataset):
    nusc = NuScenes('v1.0-mini', str(world[0]), verbose=False)
    info = dataset.get_data_info(1)
    assert tuple(info['radars']) == RADAR_NAMES
    loaded = GeminiLoadRadar(sweeps_num=3, moves=False)(info)['radar_points'].tensor
    # The devkit moves all to the radar's keyframe; here each to the LiDAR's, checked one sweep at a time.
    start = 0
    lidar = nusc.get('sample_data', nusc.get('sample', info['token'])['data']['LIDAR_TOP'])
    for name in RADAR_NAMES:
        assert len(info['radars'][name]) == 4
        shot = nusc.get('sample_data', nusc.get('sample', info['token'])['data'][name])
        for listed in info['radars'][name]:
            assert listed['sample_data_token'] == shot['token']
            cloud = RadarPointCloud.from_file(str(world[0] / shot['filename']))
            velocity = np.vstack([cloud.points[8:10], np.zeros(cloud.points.shape[1])])
            for row, inverts in ((shot, False), (lidar, True)):
                mount = nusc.get('calibrated_sensor', row['calibrated_sensor_token'])
                ego = nusc.get('ego_pose', row['ego_pose_token'])
                steps = [pose(one['rotation'], one['translation']) for one in (mount, ego)]
                matrix = np.linalg.inv(steps[1] @ steps[0]) if inverts else steps[1] @ steps[0]
                cloud.points[:3] = matrix[:3, :3] @ cloud.points[:3] + matrix[:3, 3:]
                velocity = matrix[:3, :3] @ velocity
            ours = loaded[start:start + cloud.points.shape[1]].numpy()
            # The devkit's points are float32 in the global frame.
            np.testing.assert_allclose(ours[:, :3], cloud.points[:3].T, atol=2e-3)
            np.testing.assert_allclose(ours[:, 4:6], velocity[:2].T, atol=2e-5)
            np.testing.assert_allclose(ours[:, 3], cloud.points[5])
            lag_s = (lidar['timestamp'] - shot['timestamp']) * 1e-6
            np.testing.assert_allclose(ours[:, 6], lag_s, atol=1e-6)
            start, shot = start + len(ours), nusc.get('sample_data', shot['prev']) if shot['prev'] else None
    assert start == len(loaded) > 100


def write_shot(path, x_m, vx_mps):
    """Writes one return ahead of a radar, with its velocity over ground."""
    row = np.zeros(1, _ROW)
    row['x'], row['vx_comp'], row['vx'], row['rcs'], row['ambig_state'] = x_m, vx_mps, 99, 7.5, 3
    path.write_bytes(to_pcd(row))
    return str(path)


def test_a_moving_target_meets_itself_at_the_keyframe(tmp_path):
    # A radar that looks along +y of the LiDAR, 1 m ahead of it; 0.2 s ago the car was 2 m further back.
    turn = [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]
    shots = [dict(radar_path=write_shot(tmp_path / f'{index}.pcd', x_m, 5.0),
                  timestamp_us=10_000_000 - lag_us,
                  lidar_from_radar=pose(turn, [0, 1.0 - back_m, 0]).tolist())
             for index, (x_m, lag_us, back_m) in enumerate(((20.0, 0, 0.0), (21.0, 200_000, 2.0)))]
    record = dict(timestamp_us=10_000_000, radars={'RADAR_FRONT': shots})
    expected = [[0, 21, 0, 7.5, 0, 5, 0], [0, 21, 0, 7.5, 0, 5, 0.2]]
    loaded = GeminiLoadRadar()(record)['radar_points'].tensor
    np.testing.assert_allclose(loaded, expected, atol=1e-5)
    still = GeminiLoadRadar(moves=False)(record)['radar_points'].tensor
    np.testing.assert_allclose(still[:, 1], [21, 20], atol=1e-5)
    assert len(GeminiLoadRadar(sweeps_num=0)(record)['radar_points']) == 1


def test_velocities_turn_mirror_and_scale_with_the_returns():
    points = radar_points(torch.tensor([[3.0, 1, 2, 40, 5, 0, 0.3]]))
    quarter = np.array([[0, -2.0, 0, 10], [2, 0, 0, 0], [0, 0, 2, 1], [0, 0, 0, 1]])
    assert move_points(quarter, points).tensor.tolist() == [[8, 6, 5, 40, 0, 10, pytest.approx(0.3)]]
    flipped = GeminiAugmentScene(flip_x_prob=1.0)(
        dict(radar_points=points, points=points, lidar_aug_matrix=np.eye(4, dtype=np.float32)))
    for key in ('points', 'radar_points'):
        assert flipped[key].tensor[0, [0, 4]].tolist() == [-3, -5]
    assert points.tensor[0, 0] == 3


def test_cached_returns_still_know_their_velocity(dataset, tmp_path):
    init_default_scope('mmdet3d')
    info = dataset.get_data_info(1)
    step = dict(steps=[dict(type='GeminiLoadRadar', sweeps_num=1)], folder=str(tmp_path))
    first, second = (GeminiCachedLoading(**step)(dict(info))['radar_points'] for _ in range(2))
    assert torch.equal(first.tensor, second.tensor) and second.attribute_dims == dict(velocity=[4, 5])
    assert RADAR_COLUMNS[4:6] == ('vx', 'vy')


def test_clouds_of_any_name_are_packed():
    init_default_scope('mmdet3d')
    pack = TRANSFORMS.build(dict(type='GeminiPackInputs', keys=[
                            'points', 'radar_points'], meta_keys=['token']))
    assert isinstance(pack, GeminiPackInputs)
    cloud = radar_points(torch.ones(2, 7))
    packed = pack(dict(points=cloud, radar_points=cloud, token='a'))['inputs']
    assert sorted(packed) == ['points', 'radar_points'] and torch.equal(packed['radar_points'], cloud.tensor)


def test_missing_files_missing_radars_and_wrong_choices_are_named(dataset, world, tmp_path):
    record = dict(timestamp_us=0, radars={'RADAR_FRONT': [dict(
        radar_path=str(tmp_path / 'gone.pcd'), timestamp_us=0, lidar_from_radar=np.eye(4).tolist())]})
    with pytest.raises(UserError, match='gone.pcd cannot be read .*missing="mark"'):
        GeminiLoadRadar()(record)
    assert GeminiLoadRadar(missing='mark')(record)['radar_points'].tensor.shape == (0, 7)
    assert GeminiLoadRadar()(dict(timestamp_us=0, radars={}))['radar_points'].tensor.shape == (0, 7)
    with pytest.raises(ValueError, match='states of speed; expected fields'):
        GeminiLoadRadar(states=dict(speed=(1,)))
    info = dict(open_info_file(world[1])[0])
    del info['radars']
    with pytest.raises(UserError, match='lists no radars; .*--radar-sweeps 5'):
        dataset.parse_data_info(info)


def test_a_file_with_another_check_sum_than_its_record_is_refused(dataset):
    info = dataset.get_data_info(2)
    shots = info['radars'][RADAR_NAMES[0]]
    sums = [zlib.crc32(Path(shot['radar_path']).read_bytes()) for shot in shots]
    for shot, crc32 in zip(shots, sums):
        shot['crc32'] = crc32
    assert len(GeminiLoadRadar().transform(info)['radar_points'])
    shots[-1]['crc32'] ^= 1
    with pytest.raises(UserError, match='is not the file that was converted'):
        GeminiLoadRadar().transform(info)


def test_without_being_asked_for_radars_nothing_of_them_is_listed(world, tmp_path):
    plain = open_info_file(convert_nuscenes(world[0], 'v1.0-mini', tmp_path, max_sweeps=0)['mini_train'])
    with_radars = open_info_file(world[1])
    assert 'radars' not in plain[0]
    # By their text: velocities may be no numbers.
    assert [str({key: value for key, value in info.items() if key != 'radars'})
            for info in with_radars] == list(map(str, plain))


def test_a_damaged_radar_file_stops_the_conversion_or_is_left_out(world, tmp_path):
    root = tmp_path / 'copy'
    root.mkdir()
    for entry in world[0].iterdir():
        if entry.name != 'samples':
            (root / entry.name).symlink_to(entry)
    for folder in (world[0] / 'samples').iterdir():
        (root / 'samples' / folder.name).mkdir(parents=True)
        for file in folder.iterdir():
            (root / 'samples' / folder.name / file.name).symlink_to(file)
    victim = sorted((root / 'samples' / 'RADAR_BACK_LEFT').iterdir())[0]
    victim.unlink()
    victim.write_bytes(b'# .PCD')
    with pytest.raises(UserError, match='1 damaged; in samples/RADAR_BACK_LEFT 1'):
        convert_nuscenes(root, 'v1.0-mini', tmp_path / 'out', radar_sweeps=0)
    marked = convert_nuscenes(root, 'v1.0-mini', tmp_path / 'out', radar_sweeps=0, mark_damaged=True)
    radars = open_info_file(marked['mini_train'])[0]['radars']
    assert [len(radars[name]) for name in RADAR_NAMES] == [1, 1, 1, 0, 1]
