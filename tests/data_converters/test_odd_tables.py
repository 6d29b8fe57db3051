"""Rows that geometry or a loss cannot hold are named, and left out or masked; cut tables are one sentence."""
import json
import math
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import open_info_file

VERSION = 'v1.0-mini'
Rows = list


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One scene of three keyframes."""
    return write_tiny_nuscenes(tmp_path / 'root', scenes=['scene-0061'])


def change(root: Path, table: str, edit: Callable[[Rows], 'Rows | None']) -> None:
    path = root / VERSION / f'{table}.json'
    rows = json.loads(path.read_text())
    edited = edit(rows)
    path.write_text(json.dumps(rows if edited is None else edited))


def set_in(table: str, index: int, **values: object) -> Callable[[Path], None]:
    return lambda root: change(root, table, lambda rows: rows[index].update(values))


def shots(root: Path, channel: str, table: str, is_key: bool = True, **values: object) -> None:
    """Changes the row of `table` that belongs to the second shot of a channel."""
    data = [row for row in json.loads((root / VERSION / 'sample_data.json').read_text())
            if f'/{channel}/' in row['filename'] and row['is_key_frame'] == is_key]
    key = {'ego_pose': 'ego_pose_token', 'sample_data': 'token',
           'calibrated_sensor': 'calibrated_sensor_token'}[table]
    change(root, table, lambda rows: [dict(row, **values)
           if row['token'] == data[1][key] else row for row in rows])


def converted(root: Path, capsys: pytest.CaptureFixture, **options: object) -> 'tuple[list, str]':
    paths = convert_nuscenes(root, VERSION, root / 'out', **options)
    return [*open_info_file(paths['mini_train'])], capsys.readouterr().out


@pytest.mark.parametrize('pose', [
    dict(
        rotation=[
            0, 0, 0, 0]), dict(
        rotation=[
            math.nan, 0, 0, 1]), dict(
        rotation=[
            1, 0, 0]), dict(
        rotation=None),
    dict(rotation=[2, 0, 0, 0]), dict(translation=[math.nan, 0, 0]), dict(translation=[math.inf, 0, 0]),
    dict(translation=[1e9, 0, 0]), dict(translation=['a', 0, 0])])
def test_a_pose_that_is_none_costs_what_hangs_on_it_and_no_more(root, capsys, pose):
    shots(root, 'CAM_BACK', 'ego_pose', **pose)
    shots(root, 'LIDAR_TOP', 'ego_pose', is_key=False, **pose)
    infos, out = converted(root, capsys)
    assert [info['images']['CAM_BACK']['img_path'] is None for info in infos] == [False, True, False]
    # The second of nine sweeps between the first two keyframes; the third keyframe is farther than ten.
    assert [len(info['lidar_sweeps']) for info in infos] == [0, 9, 10]
    assert '1 pictures marked as missing: the pose' in out and '1 sweeps left out: the pose' in out
    shots(root, 'LIDAR_TOP', 'ego_pose', **pose)
    infos, out = converted(root, capsys)
    assert len(infos) == 2 and '1 keyframes left out: the pose' in out


@pytest.mark.parametrize('intrinsic', [[], [[1, 0, 0], [0, 1, 0]], [[0, 0, 5], [0, 9, 5], [0, 0, 1]],
                                       'text', [[9, 0, math.nan], [0, 9, 5], [0, 0, 1]],
                                       [[9, 0, 5], [0, 9, 5], [0, 0, 2]]])
def test_a_camera_without_intrinsics_is_named(root, intrinsic):
    shots(root, 'CAM_BACK', 'calibrated_sensor', camera_intrinsic=intrinsic)
    with pytest.raises(UserError, match='no picture of CAM_BACK can be used: 3 pictures .* camera_intrinsic'):
        convert_nuscenes(root, VERSION, root / 'out')


@pytest.mark.parametrize('values, what', [
    (dict(size=[1.9, 4.5, 0.0]), 'size'), (dict(size=[1.9, -4.5, 1.0]),
                                           'size'), (dict(size=[1.9, math.nan, 1.0]), 'size'),
    (dict(size=[1.9, 4.5]), 'size'), (dict(size=[1.9, 4500.0, 1.0]),
                                      'size'), (dict(rotation=[0, 0, 0, 0]), 'rotation'),
    (dict(translation=[math.inf, 0, 0]), 'translation'), (dict(num_lidar_pts=-1), 'number of points'),
    (dict(num_lidar_pts='5'), 'number of points')])
def test_a_box_that_is_none_is_left_out(root, capsys, values, what):
    before = sum(len(info['instances']) for info in converted(root, capsys)[0])
    change(root, 'sample_annotation', lambda rows: rows[0].update(values))
    infos, out = converted(root, capsys)
    assert sum(len(info['instances']) for info in infos) == before - 1
    assert 'boxes left out: the' in out and what in out
    velocities = [value for info in infos for one in info['instances'] for value in one['velocity']]
    assert not np.isinf(velocities).any()


@pytest.mark.parametrize('edit', [
    lambda rows: rows[1].update(timestamp=rows[0]['timestamp']),
    lambda rows: rows[1].update(timestamp=rows[0]['timestamp'] - 5_000_000),
    lambda rows: rows[1].update(timestamp=math.nan), lambda rows: rows[1].update(timestamp=None)])
def test_times_that_do_not_grow_make_velocities_unknown(root, capsys, edit):
    change(root, 'sample', edit)
    infos, out = converted(root, capsys)
    moving = [one['velocity']
              for info in infos for one in info['instances'] if one['category'] == 'vehicle.car']
    speeds = np.hypot(*np.array(moving).T)
    assert np.isnan(speeds).any() and not (speeds[~np.isnan(speeds)] > 11).any()
    assert 'velocities unknown' in out


def test_a_jump_faster_than_any_road_user_is_no_velocity(root, capsys):
    change(root, 'sample_annotation', lambda rows: rows[1].update(translation=[1e5, 0, 0]))
    infos, out = converted(root, capsys)
    assert np.isnan(infos[0]['instances'][0]['velocity']).all() and 'velocities unknown' in out


@pytest.mark.parametrize('timestamp', [2_000_000_000_000_000, 1_000, math.nan, '5'])
def test_sweeps_go_back_in_time_and_not_far(root, capsys, timestamp):
    shots(root, 'LIDAR_TOP', 'sample_data', is_key=False, timestamp=timestamp)
    infos, out = converted(root, capsys)
    assert [len(info['lidar_sweeps']) for info in infos] == [0, 7, 10] and 'chains of sweeps cut short' in out


def reorder(table: str, key: str, order: 'tuple[int, ...]', factor: float = 1.0) -> Callable[[Path], None]:
    return lambda root: change(root, table, lambda rows: [
        {**row, key: [factor * row[key][place] for place in order]} for row in rows])


@pytest.mark.parametrize('edit, message', [
    (reorder('sample_annotation', 'rotation', (1, 2, 3, 0)), 'boxes that do not stand upright'),
    (reorder('sample_annotation', 'size', (1, 0, 2)), 'cars are wider than long'),
    (reorder('ego_pose', 'rotation', (0, 3, 2, 1)), 'car does not stand upright'),
    (reorder('calibrated_sensor', 'rotation', (1, 2, 3, 0)), 'cameras that '),
    (reorder('calibrated_sensor', 'translation', (0, 1, 2), 1000.0), 'translation in metres'),
    (lambda root: change(root, 'sample', lambda rows: [
        row.update(timestamp=1000 * row['timestamp']) for row in rows] and None), 'in microseconds'),
    (lambda root: change(root, 'calibrated_sensor', lambda rows: [
        row['camera_intrinsic'][0].__setitem__(2, 400.0)
        for row in rows if row['camera_intrinsic']] and None), 'optical axis far from their middle')])
def test_poses_sizes_and_times_of_another_convention_are_said(root, capsys, edit, message):
    words = ('upright', 'wider than long', 'cameras that', 'in metres', 'in microseconds', 'optical axis')
    assert not any(word in converted(root, capsys)[1] for word in words)
    edit(root)
    assert message in converted(root, capsys)[1]


def test_own_categories_are_said_and_can_be_learned(root, capsys):
    change(root, 'category', lambda rows: [row.update(
        name=row['name'].split('.')[-1]) for row in rows] and None)
    infos, out = converted(root, capsys)
    assert 'warning: no box belongs to a detection class' in out and '6 car' in out
    assert {one['bbox_label_3d'] for info in infos for one in info['instances']} == {-1}


def cut(table: str, keep: Callable[[dict], bool]) -> Callable[[Path], None]:
    return lambda root: change(root, table, lambda rows: [row for row in rows if keep(row)])


def without(table: str, key: str) -> Callable[[Path], None]:
    return lambda root: change(root, table, lambda rows: [
        {name: value for name, value in row.items() if name != key} for row in rows])


def raw(table: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / VERSION / f'{table}.json').write_text(text)


@pytest.mark.parametrize('damage', [
    cut('sample', lambda row: row['next']), cut('sample_annotation', lambda row: row['next']),
    cut('sample_data', lambda row: row['is_key_frame']), cut('ego_pose', lambda row: False),
    cut('instance', lambda row: False), cut('scene', lambda row: False), cut('category', lambda row: False),
    cut('attribute', lambda row: False), cut('sensor', lambda row: False),
    without('sample_annotation', 'num_radar_pts'), without('sample_annotation', 'visibility_token'),
    without(
        'calibrated_sensor', 'camera_intrinsic'), without(
        'sample', 'next'), without(
            'sample_data', 'filename'),
    without('ego_pose', 'rotation'), without('scene', 'name'), without('map', 'filename'),
    raw('sample', '{}'), raw('sample', '[1, 2]'), raw(
        'sample_data', '[null]'), raw('scene', '"text"'), raw('scene', ''),
    raw('ego_pose', '[' * 100_000), raw('map', '[' *
                                        100_000), raw('map', '{"a": 1}'), raw('instance', '\xff\xfe'),
    set_in('sample', 2, next='x'), set_in('sample_data', 0,
                                          filename='../../x.jpg'), set_in('sample_data', 0, filename=5),
    lambda root: change(root, 'sample', lambda rows: rows[2].update(next=rows[0]['token']))])
def test_cut_and_garbled_tables_are_one_sentence(root, damage):
    damage(root)
    with pytest.raises(UserError) as error:
        convert_nuscenes(root, VERSION, root / 'out')
    assert '\n' not in str(error.value)
    assert not list((root / 'out').glob('*.pkl') if (root / 'out').exists() else ())


def test_files_that_others_wrote_are_not_overwritten(root):
    out = root / 'out'
    out.mkdir()
    (out / 'nuscenes_infos_mini_train.pkl').write_bytes(b"mmdet3d's")
    convert_nuscenes(root, VERSION, out)
    assert (out / 'nuscenes_infos_mini_train.pkl').read_bytes() == b"mmdet3d's"
    convert_nuscenes(root, VERSION, out)
    (out / 'geminifusion3d_infos_mini_train.pkl').write_bytes(b'a stranger')
    with pytest.raises(UserError, match='was not written by this project'):
        convert_nuscenes(root, VERSION, out)
    assert (out / 'geminifusion3d_infos_mini_train.pkl').read_bytes() == b'a stranger'


def test_damaged_files_can_be_left_out_on_request(root, capsys):
    keyframes = sorted(root.glob('samples/LIDAR_TOP/*'))
    sorted(root.glob('samples/CAM_BACK/*'))[1].write_bytes(b'')
    keyframes[0].unlink()
    with pytest.raises(UserError, match='2 of .* cannot be used .*--mark-damaged'):
        convert_nuscenes(root, VERSION, root / 'out')
    infos, out = converted(root, capsys, mark_damaged=True)
    assert len(infos) == 2 and infos[0]['images']['CAM_BACK']['img_path'] is None
    # The lost keyframe is a sweep of the next one too.
    assert len(infos[0]['lidar_sweeps']) == 9 and 'files marked as missing' in out
