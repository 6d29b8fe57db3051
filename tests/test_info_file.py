"""Info files: own ones verified record by record, older ones and mmdet3d's in one piece, none executed."""
import copy
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.info_file import info_file_name, is_own_info_file, open_info_file, write_info_file
from geminifusion3d.nuscenes_facts import CLASS_NAMES

METAINFO = {'categories': {name: label for label, name in enumerate(CLASS_NAMES)}, 'dataset': 'nuscenes',
            'version': 'v1.0-mini', 'split': 'mini_val'}
POSE = [[0.0, -1.0, 0.0, 2.0], [1.0, 0.0, 0.0, 3.0], [0.0, 0.0, 1.0, 4.0], [0.0, 0.0, 0.0, 1.0]]


def records(count: int = 3) -> list:
    return [{'token': f'token-{index}', 'timestamp_us': index, 'ego2global': POSE, 'again': POSE,
             'instances': [{'bbox_label_3d': 3, 'bbox_label': 3, 'category': 'vehicle.bus.rigid'}]}
            for index in range(count)]


def written(path: Path, **changes: object) -> Path:
    with path.open('wb') as file:
        write_info_file(file, {**METAINFO, **changes}, records())
    return path


# What mmdet3d v1.4.0 writes (tools/dataset_converters/update_infos_to_v2.py, update_nuscenes_infos): its own
# order of classes, base names only, times in seconds, numpy scalars for what comes from arrays.
MMDET3D_CLASSES = ('car', 'truck', 'trailer', 'bus', 'construction_vehicle', 'bicycle', 'motorcycle',
                   'pedestrian', 'traffic_cone', 'barrier')


def mmdet3d_record(index: int, time_s: float) -> dict:
    lidar = f'n015-2018__LIDAR_TOP__{index}.pcd.bin'
    instances = [dict(bbox_label=label, bbox_label_3d=label, bbox_3d=[1.0, 2.0, 3.0, 4.0, 2.0, 1.5, 0.3],
                      velocity=[np.nan, np.nan], num_lidar_pts=np.int64(points), num_radar_pts=np.int64(0),
                      bbox_3d_isvalid=np.bool_(points > 0))
                 for label, points in ((3, 7), (9, 0), (-1, 5))]
    return dict(
        sample_idx=index, token=f'token-{index}', timestamp=time_s, ego2global=POSE,
        images={'CAM_FRONT': dict(img_path='n015-2018__CAM_FRONT__1.jpg', cam2img=np.eye(3).tolist(),
                                  sample_data_token='a', timestamp=time_s, cam2ego=POSE, lidar2cam=POSE)},
        lidar_points=dict(num_pts_feats=5, lidar_path=lidar, lidar2ego=POSE),
        lidar_sweeps=[dict(timestamp=time_s - 0.05, ego2global=POSE, sample_data_token='b', lidar_points=dict(
            lidar_path=f'./data/my samples/nuscenes/{folder}/LIDAR_TOP/n015-2018__LIDAR_TOP__0.pcd.bin',
            lidar2ego=POSE, lidar2sensor=POSE)) for folder in ('sweeps', 'samples')],
        instances=instances, cam_instances={'CAM_FRONT': []}, pts_semantic_mask_path='x.bin')


def mmdet3d_file(path: Path, protocol: int = 4, **changes: object) -> Path:
    first_s = 1532402927.647951
    content = dict(
        metainfo=dict(categories={**{name: label for label, name in enumerate(MMDET3D_CLASSES)},
                                  'animal': -1}, dataset='nuscenes', version='v1.0-mini', info_version='1.1'),
        data_list=[mmdet3d_record(index, time_s)
                   for index, time_s in enumerate((first_s, first_s + 0.5, first_s + 300))])
    content['metainfo'].update(changes)
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def test_a_file_is_a_plain_pickle_and_is_read_record_by_record(tmp_path):
    path = written(tmp_path / 'infos.pkl')
    with path.open('rb') as file:
        content = pickle.load(file)
    assert content['data_list'] == records() and content['metainfo'] == {**METAINFO, 'info_version': '2.0'}
    opened = open_info_file(path)
    assert len(opened) == 3 and [*opened] == records() and opened[2]['token'] == 'token-2'
    assert opened.metainfo['split'] == 'mini_val' and is_own_info_file(path)
    for copied in (copy.deepcopy(opened), pickle.loads(pickle.dumps(opened))):
        assert copied[1] == opened[1]


def test_whoever_changes_a_record_changes_no_other(tmp_path):
    opened = open_info_file(written(tmp_path / 'infos.pkl'))
    opened[0]['ego2global'][0][0] = 9.0
    assert opened[0]['ego2global'] == POSE


def test_a_file_without_records_is_sound(tmp_path):
    buffer = io.BytesIO()
    write_info_file(buffer, METAINFO, [])
    (tmp_path / 'infos.pkl').write_bytes(buffer.getvalue())
    assert [*open_info_file(tmp_path / 'infos.pkl')] == []


def test_every_flipped_bit_is_refused(tmp_path):
    path = written(tmp_path / 'infos.pkl')
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in [*rng.integers(0, len(sound), 300), *range(len(sound) - 60, len(sound))]:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(UserError, match='infos.pkl'):
            open_info_file(path)


def test_a_file_that_lost_its_end_is_refused(tmp_path):
    path = written(tmp_path / 'infos.pkl')
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match='lost its end'):
        open_info_file(path)


@pytest.mark.parametrize('name', ['geminifusion3d_infos_mini_train.pkl', 'nuscenes_infos_mini_train.pkl'])
def test_a_file_of_an_earlier_version_is_read_under_either_name(tmp_path, name):
    old = pickle.dumps({'metainfo': {**METAINFO, 'info_version': '1.1'}, 'data_list': records()}, 4)
    (tmp_path / 'nuscenes_infos_mini_train.pkl').write_bytes(old)
    opened = open_info_file(tmp_path / name)
    assert [*opened] == records() and opened.is_own
    assert info_file_name('mini_train') == 'geminifusion3d_infos_mini_train.pkl'


@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_mmdet3ds_own_file_is_read_as_it_is(tmp_path, protocol):
    path = mmdet3d_file(tmp_path / 'nuscenes_infos_train.pkl', protocol)
    before = path.read_bytes()
    opened = open_info_file(path)
    assert path.read_bytes() == before and not is_own_info_file(path)
    assert opened.metainfo['split'] == 'mini_train' and opened.metainfo['version'] == 'v1.0-mini'
    first = opened[0]
    assert first['timestamp_us'] == 1532402927647951
    assert first['images']['CAM_FRONT']['img_path'] == 'samples/CAM_FRONT/n015-2018__CAM_FRONT__1.jpg'
    assert (first['images']['CAM_FRONT']['height'], first['images']['CAM_FRONT']['width']) == (900, 1600)
    assert first['lidar_points']['lidar_path'] == 'samples/LIDAR_TOP/n015-2018__LIDAR_TOP__0.pcd.bin'
    # A data root with "samples" in its name leads mmdet3d astray.
    assert [sweep['lidar_points']['lidar_path'].split('/')[0] for sweep in first['lidar_sweeps']] == [
        'sweeps', 'samples']
    assert first['lidar_sweeps'][0]['timestamp_us'] == 1532402927597951
    # Labels follow the names, whose order is another; the void object has none.
    assert [instance['bbox_label_3d'] for instance in first['instances']] == [
        CLASS_NAMES.index('bus'), CLASS_NAMES.index('barrier'), -1]
    assert first['instances'][0]['num_lidar_pts'] == 7 and first['instances'][0]['bbox_3d_isvalid'] is True
    assert np.isnan(first['instances'][0]['velocity']).all()
    # Five minutes later another scene is on; the file names none.
    scenes = [record['scene_token'] for record in opened]
    assert scenes[0] == scenes[1] != scenes[2]


def test_arrays_of_numbers_become_lists(tmp_path):
    content = {'metainfo': {**METAINFO, 'info_version': '1.1'}, 'data_list': [
        {**records(1)[0], 'pose': np.eye(2, dtype=np.float32), 'text': np.array(['a', 'bc']),
         'one': np.float64(2.5)}]}
    for protocol in (2, 4):
        (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content, protocol))
        record = open_info_file(tmp_path / 'infos.pkl')[0]
        assert record['pose'] == [[1, 0], [0, 1]] and record['text'] == ['a', 'bc'] and record['one'] == 2.5


def test_arrays_of_objects_are_refused(tmp_path):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps({'a': np.array([{}, None])}, 4))
    with pytest.raises(UserError, match='expected numbers'):
        open_info_file(tmp_path / 'infos.pkl')


def test_a_name_of_mmdet3ds_file_cannot_leave_the_data_root(tmp_path):
    path = mmdet3d_file(tmp_path / 'nuscenes_infos_val.pkl')
    content = pickle.loads(path.read_bytes())
    content['data_list'][0]['images'] = {'../../CAM': content['data_list'][0]['images']['CAM_FRONT']}
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match='inside the data root'):
        open_info_file(path)


@pytest.mark.parametrize('content', [
    [], {'infos': []}, {'metainfo': METAINFO}, {'metainfo': METAINFO, 'data_list': {}},
    {'metainfo': {**METAINFO, 'categories': ['car']}, 'data_list': []},
    {'metainfo': {'dataset': 'nuscenes'}, 'data_list': []}])
def test_another_layout_is_refused(tmp_path, content):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match='no info file of this project or of mmdet3d'):
        open_info_file(tmp_path / 'infos.pkl')


def test_mmdet3ds_layout_before_v2_is_named(tmp_path):
    path = tmp_path / 'nuscenes_infos_train.pkl'
    path.write_bytes(pickle.dumps({'infos': [], 'metadata': {'version': 'v1.0-mini'}}))
    with pytest.raises(UserError, match='before 1.1 .*update_infos_to_v2.py, or .* gemini3d convert'):
        open_info_file(path)


@pytest.mark.parametrize('damage', [{'data_list': [{'token': 'a', 'instances': []}]}, {'data_list': [
    {**records(1)[0], 'instances': None}]}])
def test_a_record_that_lacks_a_field_is_one_sentence(tmp_path, damage):
    (tmp_path / 'infos.pkl').write_bytes(pickle.dumps({'metainfo': METAINFO, **damage}))
    with pytest.raises(UserError, match='lacks what a record needs'):
        open_info_file(tmp_path / 'infos.pkl')


def test_deep_nesting_is_one_sentence(tmp_path):
    depth = b'\x80\x04' + b']' * 100_000 + b'a' * 99_999 + b'.'
    (tmp_path / 'infos.pkl').write_bytes(depth)
    with pytest.raises(UserError, match='infos.pkl'):
        open_info_file(tmp_path / 'infos.pkl')
