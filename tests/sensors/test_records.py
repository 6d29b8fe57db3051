"""Records of anybody's data: one sentence per mistake, and what a sound one becomes in the loaders."""
import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.dataset import ConcatDataset
from mmengine.registry import init_default_scope

from gemini_lab.analysis.record_check import check_data
from gemini_lab.synthetic.radar import _ROW, to_pcd
from geminifusion3d import check_sums
from geminifusion3d.engine import data_loading
from geminifusion3d.engine.data_loading import check_classes_have_boxes
from geminifusion3d.errors import UserError
from geminifusion3d.sensors import (GeminiLoadCellFile, GeminiLoadImages, GeminiLoadPoints, GeminiLoadRadar,
                                    load_points)
from geminifusion3d.sensors.draws import CountedDraws
from geminifusion3d.sensors.records import RecordInfos, check_record, record_to_info

# The camera looks along x of the LiDAR: its right is -y, its down is -z.
LIDAR2CAM = [[0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
# The LiDAR has driven one metre on since.
SWEEP = [[1, 0, 0, -1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
RECORD = {
    'token': 'a', 'scene': 'drive', 'timestamp': 10.0,
    'images': {'nose': {'path': 'nose.png', 'cam2img': [[50, 0, 40], [0, 50, 30], [0, 0, 1]],
                        'lidar2cam': LIDAR2CAM},
               'tail': None},
    'points': {'path': 'a.bin', 'columns': ['x', 'y', 'z', 'intensity']},
    'sweeps': [{'path': 'b.npy', 'timestamp': 9.9, 'lidar_from_sweep': SWEEP}],
    'boxes': [{'box': [10, 0, 1, 4, 2, 2, 0.5], 'class': 'tram', 'velocity': [1, 2], 'num_points': 1},
              {'box': [20, 0, 1, 4, 2, 2, 0.5], 'class': 'tree'}]}
# The radar sits two metres ahead of the LiDAR and looks to its left: its x is the LiDAR's y.
LIDAR_FROM_RADAR = [[0, -1, 0, 2], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
RADAR = {'path': 'r.bin', 'columns': ['y', 'x', 'z', 'vx', 'vy', 'power'],
         'lidar_from_radar': LIDAR_FROM_RADAR}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file of one record with its files."""
    cv2.imwrite(str(tmp_path / 'nose.png'), np.full((60, 80, 3), 7, np.uint8))
    np.array([[10, 0, 1, 100], [5, 5, 0, 9]], '<f4').tofile(tmp_path / 'a.bin')
    np.save(tmp_path / 'b.npy', np.array([[6, 5, 0, 8]], np.float32))
    (tmp_path / 'data.jsonl').write_text(json.dumps(RECORD) + '\n\n')
    return tmp_path


def changed(**changes: object) -> dict:
    """The record with values at dotted places; `...` removes one."""
    record = copy.deepcopy(RECORD)
    for place, value in changes.items():
        *parents, last = place.split('__')
        node = record
        for parent in parents:
            node = node[int(parent) if parent.isdigit() else parent]
        if value is ...:
            del node[last]
        else:
            node[int(last) if last.isdigit() else last] = value
    return record


def built(root: Path, **options: object) -> object:
    init_default_scope('mmdet3d')
    pipeline = [GeminiLoadImages(camera_names=['nose', 'tail']), GeminiLoadPoints(sweeps_num=1)]
    return DATASETS.build({**dict(
        type='GeminiRecordDataset', data_root=str(root), ann_file='data.jsonl', pipeline=pipeline,
        metainfo=dict(classes=('tree', 'tram')), filter_empty_gt=False), **options})


def test_a_sound_record_is_read_as_it_says(root):
    info = built(root).get_data_info(0)
    boxes = info['ann_info']['gt_bboxes_3d']
    assert info['ann_info']['gt_labels_3d'].tolist() == [1, 0]
    np.testing.assert_allclose(boxes.gravity_center, [[10, 0, 1], [20, 0, 1]])
    np.testing.assert_allclose(boxes.tensor[:, 3:], [[4, 2, 2, .5, 1, 2], [
                               4, 2, 2, .5, np.nan, np.nan]], rtol=1e-6)
    sample = built(root)[0]
    assert sample['camera_present'].tolist() == [True, False]
    assert [image.shape for image in sample['img']] == [(60, 80, 3)] * 2
    # x, y, z, intensity, seconds before: the sweep's point lies one metre less ahead.
    np.testing.assert_allclose(sample['points'].tensor, [[10, 0, 1, 100, 0], [
                               5, 5, 0, 9, 0], [5, 5, 0, 8, 0.1]], atol=1e-6)


def test_pictures_and_points_may_be_handed_over_in_memory():
    rows = np.array([[10, 0, 1, 100]], np.float32)
    record = changed(images__nose__path=np.zeros((30, 40, 3), np.uint8), points__path=rows, sweeps=[],
                     images__nose__height=60, images__nose__width=80)
    check_record(record)
    info = record_to_info(record)
    loaded = GeminiLoadPoints()(GeminiLoadImages(camera_names=['nose'])(info))
    np.testing.assert_allclose(loaded['points'].tensor, [[10, 0, 1, 100, 0]])
    # Half the size that the calibration belongs to: raw pixel 39.5 is pixel 19.5.
    np.testing.assert_allclose(loaded['img_aug_matrix'][0] @ [39.5, 29.5, 1, 1], [19.5, 14.5, 1, 1])


def test_a_sample_may_lack_a_sensor():
    for record in (changed(points=None, sweeps=[]), changed(points=..., sweeps=...), changed(images=...)):
        check_record(record)
    assert len(GeminiLoadPoints()(record_to_info(changed(points=None, sweeps=[])))['points']) == 0


@pytest.mark.parametrize('changes, message', [
    (dict(token=...), 'token is absent'), (dict(token=5), 'token is 5'),
    (dict(Token='a'), 'the record has Token'),
    (dict(scene=5), 'scene is 5'), (dict(images=[]), r'images is \[\]'),
    (dict(images__nose=5), 'images.nose is 5'),
    (dict(images__nose__path='../x'), 'images.nose.path .* inside the data root'),
    (dict(images__nose__path='/x.png'), 'inside the data root'), (dict(points__path=5), 'points.path is 5'),
    (dict(images__nose__cam2img=[[1, 2], [3, 4]]), 'cam2img .* expected 3x3'),
    (dict(images__nose__cam2img__0__0=0), 'pinhole'), (dict(
        images__nose__lidar2cam__0__0=float('nan')), '4x4 finite'),
    (dict(images__nose__lidar2cam__2__0=2), 'no rotation'), (dict(
        images__nose__lidar2cam__3=[0, 0, 1, 1]), 'no rotation'),
    (dict(images__nose__lidar2cam__0=[0, 1, 0, 0]),
     'determinant'), (dict(images__nose__height=5), 'height and width'),
    (dict(images__nose__lidar2cam=...), 'lidar2cam is absent'), (dict(
        points__columns=['x', 'y']), 'x, y and z'),
    (dict(points__columns=['x', 'y', 'z', 'z']), 'different names'), (dict(points=5), 'points is 5'),
    (dict(points=None, images={}), 'neither images nor points'), (dict(sweeps=5), 'sweeps is 5'),
    (dict(timestamp=...), 'timestamp is absent'), (dict(timestamp='now'), "timestamp is 'now'"),
    (dict(sweeps__0__timestamp=10.0), 'expected less than 10'),
    (dict(sweeps__0__lidar_from_sweep=...), 'absent'),
    (dict(radars=5), 'radars is 5'), (dict(radars={'nose': 5}), 'radars.nose is 5'),
    (dict(radars={'nose': [5]}), r'radars.nose\[0\] is 5'),
    (dict(radars={'nose': [{**RADAR, 'path': '/r.bin'}]}), 'inside the data root'),
    (dict(radars={'nose': [{**RADAR, 'columns': ['x', 'y']}]}), r'radars.nose\[0\].columns'),
    (dict(radars={'nose': [{**RADAR, 'path': 'r.pcd'}]}), 'expected none for a .pcd file'),
    (dict(radars={'nose': [{**RADAR, 'lidar_from_radar': None}]}), 'lidar_from_radar is absent'),
    (dict(radars={'nose': [{**RADAR, 'timestamp': 'now'}]}), "timestamp is 'now'"),
    (dict(radars={'nose': [{**RADAR, 'speed': 1}]}), 'has speed'),
    (dict(radars={'nose': [{**RADAR, 'timestamp': 9}]}, timestamp=..., sweeps=[]), 'the sample none'),
    (dict(boxes=5), 'boxes is 5'), (dict(boxes__0=5),
                                    r'boxes\[0\] is 5'), (dict(boxes__0__box=[1, 2]), '7 numbers'),
    (dict(boxes__1__box__4=0), r'boxes\[1\].box has the sides'), (dict(
        boxes__0__box__0=float('inf')), '7 numbers'),
    (dict(boxes__0__class=''), 'class'), (dict(boxes__0__velocity=[
     1]), 'velocity'), (dict(boxes__0__name='car'), 'has name'),
    (dict(boxes__0__box__6=90.0), r'boxes\[0\].box has the yaw 90; expected radians'),
    (dict(sweeps__0__timestamp=-49990.0), 'is 50000 before that of the sample; expected seconds'),
    (dict(sweeps=[{**RECORD['sweeps'][0], 'timestamp': 9.8}, RECORD['sweeps'][0]]), 'the newest first'),
    (dict(radars={'nose': [{**RADAR, 'timestamp': 9.5}, RADAR]}), r'radars.nose\[1\].* the newest first'),
    (dict(images__nose__lidar2cam=[*LIDAR2CAM[:2], [1, 0, 0, -1500], [0, 0, 0, 1]]),
     'lidar2cam moves by 1500 m; expected at most 100'),
    (dict(ego_from_lidar=[[1, 0, 0, 900], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), 'ego_from_lidar moves'),
    (dict(cells='cells.png', cells_crc32='ab'), "cells_crc32 is 'ab'"),
    (dict(boxes__0__velocity=[1e9, 0]), 'at most 100'), (dict(boxes__0__num_points=-1), 'num_points'),
    (dict(ego_from_lidar=[[1]]), 'ego_from_lidar'),
    (dict(global_from_ego=np.ones((4, 4)).tolist()), 'no rotation')])
def test_each_mistake_is_one_sentence(root, changes, message):
    with pytest.raises(UserError, match=message) as error:
        check_record(changed(**changes), 'line 3')
    assert str(error.value).startswith('line 3: ') and '\n' not in str(error.value)
    (root / 'data.jsonl').write_text(json.dumps(changed(**changes)))
    with pytest.raises(UserError, match='data.jsonl, line 1'):
        built(root)
    report = check_data(root / 'data.jsonl')
    assert not report.is_sound and 'line 1' in report.text()


def test_check_data_counts_and_finds_nothing_wrong(root):
    report = check_data(root / 'data.jsonl', classes=('tram', 'tree'))
    assert report.is_sound and report.samples == 1 and report.boxes == {'tram': 1, 'tree': 1}
    assert report.cameras == {'nose': 1} and not report.warnings


@pytest.mark.parametrize('edit, message', [
    (lambda root: (root / 'nose.png').write_bytes((root /
     'nose.png').read_bytes()[:-5]), 'nose.png is truncated'),
    (lambda root: (root / 'nose.png').unlink(), 'nose.png is missing'),
    (lambda root: np.zeros((3, 5), '<f4').tofile(root / 'a.bin'),
     'a.bin holds 15 numbers; expected a multiple of 4'),
    (lambda root: np.full((4, 5), -3, '<f4').tofile(root / 'a.bin'),
     'cannot have the columns x, y, z, intensity'),
    (lambda root: np.save(root / 'b.npy', np.zeros((3, 5))), 'b.npy hold numbers'),
    (lambda root: (root / 'data.jsonl').write_text('{"token": '), 'no JSON'),
    (lambda root: (root / 'data.jsonl').write_text('[' * 100_000), 'no JSON'),
    (lambda root: (root / 'data.jsonl').write_text(2 * (json.dumps(RECORD) + '\n')),
     "line 2: 'a', as in line 1"),
    (lambda root: (root / 'data.jsonl').write_text(
        json.dumps(changed(images__nose__height=60, images__nose__width=60))),
     'cropped or stretched')])
def test_files_that_do_not_fit_are_mistakes(root, edit, message):
    edit(root)
    report = check_data(root / 'data.jsonl')
    assert any(message in line for line in report.mistakes), report.text()


@pytest.mark.parametrize('changes, message', [
    # Turned by half a turn about z: the camera looks back.
    (dict(images__nose__lidar2cam=[[0, 1, 0, 0], [0, 0, -1, 0],
     [-1, 0, 0, 0], [0, 0, 0, 1]]), 'see no point'),
    (dict(boxes__0__box=[10, 0, 5, 4, 2, 2, 0.5]), 'no box of which holds a point'),
    # Turned by a quarter about the line of sight: the camera lies on its side.
    (dict(images__nose__lidar2cam=[[0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
     'stand upright'),
    (dict(boxes__0__class='lorry'), "'lorry'"),
    (dict(boxes__0__class='lorry'), 'without a box; first: tram'),
    (dict(images__nose__height=120, images__nose__width=160), 'resized')])
def test_what_is_hardly_meant_is_a_warning(root, changes, message):
    (root / 'data.jsonl').write_text(json.dumps(changed(**changes)))
    report = check_data(root / 'data.jsonl', classes=('tram', 'tree'))
    assert report.is_sound and any(message in line for line in report.warnings), report.text()


@pytest.mark.parametrize('edit, message', [
    (lambda root: (root / 'cells.png').unlink(), 'labels of cells that cannot be read'),
    (lambda root: (root / 'cells.png').write_bytes((root / 'cells.png').read_bytes()[:-9]), 'truncated')])
def test_labels_of_cells_are_looked_at(root, edit, message):
    (root / 'data.jsonl').write_text(json.dumps({**RECORD, 'cells': 'cells.png'}) + '\n')
    cv2.imwrite(str(root / 'cells.png'), np.zeros((3, 4), np.uint8))
    assert check_data(root / 'data.jsonl').is_sound
    edit(root)
    assert message in ' '.join(check_data(root / 'data.jsonl').mistakes)


def test_labels_of_cells_that_changed_are_refused(root):
    (root / 'data.jsonl').write_text(json.dumps({**RECORD, 'cells': 'cells.png'}) + '\n')
    cv2.imwrite(str(root / 'cells.png'), np.zeros((3, 4), np.uint8))
    check_data(root / 'data.jsonl', with_sums=root / 'summed.jsonl')
    grid = dict(range_m=(0, 0, -1, 4, 3, 1), cell_m=1.0)
    pipeline = [GeminiLoadImages(camera_names=['nose']),
                GeminiLoadCellFile(file_grid=grid, cell_grid=grid, classes=('road', 'kerb'))]
    assert built(root, ann_file='summed.jsonl', pipeline=pipeline)[0]['gt_cells'].shape == (2, 3, 4)
    cv2.imwrite(str(root / 'cells.png'), np.ones((3, 4), np.uint8))
    with pytest.raises(UserError, match='cells.png cannot be read .it is not the file that was converted'):
        built(root, ann_file='summed.jsonl', pipeline=pipeline)[0]
    assert built(root, pipeline=pipeline)[0]['gt_cells'][1].all()
    assert 'labels of cells' in check_data(root / 'summed.jsonl').text()


def cloud(intensities: np.ndarray) -> np.ndarray:
    """A cloud of many points before the camera, by columns x, y, z, intensity."""
    numbers, count = np.random.default_rng(0), len(intensities)
    return np.column_stack([numbers.uniform(5, 20, count), numbers.uniform(-3, 3, (count, 2)), intensities])


@pytest.mark.parametrize('rows, message', [
    # Numbers of 64 bits whose first half is 0, as float32 becomes them.
    (cloud(np.full(400, 7.)).astype('<f4')[:, :3].astype('<f8'), '64 bits'),
    (cloud(np.full(400, 7.)).astype('>f4'), 'the other way round'),
    (cloud(np.full(400, 7.)).round().astype('>f4'), 'all but 0'),
    ((1000 * cloud(np.full(400, 7.))).astype('<f4'), 'in millimetres')])
def test_numbers_of_another_kind_are_no_cloud(root, rows, message):
    rows.tofile(root / 'a.bin')
    columns = RECORD['points']['columns'][:rows.shape[1]]
    (root / 'data.jsonl').write_text(json.dumps(changed(points__columns=columns, sweeps=[])))
    with pytest.raises(UserError, match=f'a.bin cannot have the columns .*{message}'):
        built(root)[0]
    assert not check_data(root / 'data.jsonl').is_sound


@pytest.mark.parametrize('strongest, said', [(1.0, 'from 0 to 1'), (255.0, ''), (4000.0, 'up to 4000')])
def test_another_scale_of_intensities_is_said_once(root, monkeypatch, strongest, said):
    cloud(strongest * np.linspace(0, 1, 400)).astype('<f4').tofile(root / 'a.bin')
    lines = []
    monkeypatch.setattr(load_points, '_said', set())
    monkeypatch.setattr(load_points, 'print_log', lambda text, *_: lines.append(text))
    built(root)[0], built(root)[0]
    assert len(lines) == bool(said) and all(f'has intensities {said}; expected 0' in one for one in lines)
    assert bool(said) == any('of another scale' in line for line in check_data(root / 'data.jsonl').warnings)


def test_boxes_that_stand_on_their_centre_or_are_wider_than_long_are_warnings(root):
    cloud(np.full(9000, 7.)).astype('<f4').tofile(root / 'a.bin')
    sound = [{'box': [8 + 2 * place, 0, 0, 1.9, 0.8, 6, 0], 'class': 'tram'} for place in range(6)]
    for place, value, message in ((None, 0, ''), (2, -3, 'is z that of the'), (4, 2.8, 'wider than long')):
        boxes = [{**box, 'box': [value if index == place else number
                                 for index, number in enumerate(box['box'])]} for box in sound]
        (root / 'data.jsonl').write_text(json.dumps(changed(boxes=boxes)))
        warnings = ' '.join(check_data(root / 'data.jsonl').warnings)
        assert message in warnings and (message or not warnings)


def test_radars_that_look_elsewhere_than_they_are_called_are_a_warning(root):
    np.zeros((1, 6), '<f4').tofile(root / 'r.bin')
    # Each of the two with the pose of the other one.
    left, right = ({**RADAR, 'lidar_from_radar': [[0, -sign, 0, 2], [sign, 0, 0, 0], *LIDAR_FROM_RADAR[2:]]}
                   for sign in (1, -1))
    front = {**RADAR, 'lidar_from_radar': np.eye(4).tolist()}
    for radars, is_odd in ((dict(front=front, left=left, right=right), False),
                           (dict(front=front, left=right, right=left), True)):
        (root / 'data.jsonl').write_text(json.dumps(changed(
            radars={name: [shot] for name, shot in radars.items()})))
        warnings = ' '.join(check_data(root / 'data.jsonl').warnings)
        assert ('radars that look elsewhere' in warnings) == is_odd


@pytest.mark.parametrize('name', ['nose.png', 'a.bin', 'b.npy'])
def test_records_with_check_sums_refuse_another_file(root, name):
    check_data(root / 'data.jsonl', with_sums=root / 'summed.jsonl')
    assert check_data(root / 'summed.jsonl').is_sound
    before, after = (built(root, ann_file=f'{kind}.jsonl')[0] for kind in ('data', 'summed'))
    assert (before['points'].tensor == after['points'].tensor).all()
    assert (before['img'][0] == after['img'][0]).all()
    path = root / name
    if path.suffix == '.png':
        cv2.imwrite(str(path), np.full((60, 80, 3), 8, np.uint8))
    else:
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)
    with pytest.raises(UserError, match=f'{name} is not the file that was converted'):
        built(root, ann_file='summed.jsonl')[0]
    assert len(check_data(root / 'summed.jsonl').mistakes) == 1


def test_a_changed_line_is_said_and_read(root, monkeypatch, capsys):
    monkeypatch.setattr(check_sums, 'said', set())
    check_data(root / 'data.jsonl', with_sums=root / 'summed.jsonl')
    text = (root / 'summed.jsonl').read_text()
    (root / 'summed.jsonl').write_text(text.replace('"token": "a"', '"token": "b"'))
    capsys.readouterr()
    infos = RecordInfos(root / 'summed.jsonl')
    assert [infos[0]['token'], infos[0]['token']] == ['b', 'b']
    said = capsys.readouterr().err
    assert said.count('\n') == 1 and 'summed.jsonl, line 1, has another check sum at its end' in said


def test_check_sums_go_into_a_new_file_and_only_of_sound_records(root, gemini3d):
    done = gemini3d('check-data', root / 'data.jsonl', '--with-sums', root / 'data.jsonl')
    assert done.returncode == 2 and 'exists already' in done.stderr
    done = gemini3d('check-data', root / 'data.jsonl', '--with-sums', root / 'new.jsonl')
    assert done.returncode == 0 and str(root / 'new.jsonl') in done.stdout and (root / 'new.jsonl').is_file()
    (root / 'a.bin').unlink()
    assert gemini3d('check-data', root / 'data.jsonl', '--with-sums', root / 'two.jsonl').returncode == 1
    assert not (root / 'two.jsonl').exists()


def test_an_empty_or_absent_file_is_one_sentence(tmp_path):
    (tmp_path / 'data.jsonl').write_bytes(b'\n\n')
    with pytest.raises(UserError, match='is empty'):
        built(tmp_path)
    with pytest.raises(UserError, match='cannot read .*none.jsonl'):
        built(tmp_path, ann_file='none.jsonl')


def test_records_of_other_cameras_are_a_warning(root):
    records = [RECORD, {**RECORD, 'token': 'b', 'images': {'nose': RECORD['images']['nose']}}]
    (root / 'data.jsonl').write_text('\n'.join(map(json.dumps, records)))
    warnings = check_data(root / 'data.jsonl').warnings
    assert any('other cameras' in line and 'line 2: nose' in line for line in warnings)


def test_a_cloud_of_other_columns_is_not_learned_from(root):
    # Five columns that are declared as four: every fifth number moves on by one.
    np.tile(np.array([10, -5, -1, 100, 3], '<f4'), 4).tofile(root / 'a.bin')
    with pytest.raises(UserError, match='a.bin cannot have the columns x, y, z, intensity'):
        built(root)[0]


def test_classes_that_no_box_has_are_named_with_those_that_there_are(root, monkeypatch):
    with pytest.raises(UserError, match=r'no box of lorry .* \(its other categories: tram, tree\)'):
        built(root, metainfo=dict(classes=['lorry']), filter_empty_gt=True)
    slip = built(root, metainfo=dict(classes=['tram', 'trees']), filter_empty_gt=True)
    with pytest.raises(UserError, match=r'0 boxes of trees in 1 keyframes, but .* tree, .*\(trees for tree'):
        check_classes_have_boxes(CountedDraws(slip))
    said = []
    monkeypatch.setattr(data_loading, 'print_log', lambda text, *_: said.append(text))
    rare = built(root, metainfo=dict(classes=['tram', 'tree', 'bus']), filter_empty_gt=True)
    check_classes_have_boxes(rare)
    assert len(said) == 1 and '0 boxes of bus in 1 keyframes; nothing is learned' in said[0]
    # One of two datasets that are joined is enough.
    tree = {**RECORD, 'boxes': [{**RECORD['boxes'][1], 'class': 'bus'}]}
    (root / 'other.jsonl').write_text(json.dumps(tree))
    other = built(root, ann_file='other.jsonl', metainfo=dict(classes=['tram', 'tree', 'bus']),
                  filter_empty_gt=True)
    check_classes_have_boxes(ConcatDataset([rare, other]))
    assert len(said) == 1
    with pytest.raises(UserError, match='expected different names'):
        built(root, metainfo=dict(classes=['tram', 'tram']))


def test_a_camera_that_the_record_does_not_know_is_named(root):
    with pytest.raises(UserError, match='no camera CAM_FRONT, only nose, tail'):
        built(root, pipeline=[GeminiLoadImages(camera_names=['CAM_FRONT'])])[0]


def test_radars_of_plain_rows_and_of_nuscenes_files_meet_in_the_frame_of_the_lidar(root):
    np.array([[1, 5, 0.5, 3, 0, 99], [0, np.nan, 0, 0, 0, 0]], '<f4').tofile(root / 'r.bin')
    rows = np.zeros(1, _ROW)
    rows['x'], rows['rcs'], rows['vx_comp'], rows['ambig_state'] = 7, 12, 2, 3
    (root / 'r.pcd').write_bytes(to_pcd(rows))
    earlier = {'path': 'r.pcd', 'lidar_from_radar': LIDAR_FROM_RADAR, 'timestamp': 9.5}
    record = changed(radars={'nose': [RADAR, earlier], 'tail': []})
    check_record(record)
    (root / 'data.jsonl').write_text(json.dumps(record))
    assert check_data(root / 'data.jsonl').is_sound
    dataset = built(root, modality=dict(use_radar=True), pipeline=[GeminiLoadRadar(sweeps_num=1)])
    # x, y, z, rcs, velocity, seconds before; the earlier return has moved on by half a second.
    np.testing.assert_allclose(dataset[0]['radar_points'].tensor, [
        [1, 5, 0.5, 0, 0, 3, 0], [2, 8, 0, 12, 0, 2, 0.5]], atol=1e-5)
    (root / 'r.bin').write_bytes(b'12345678')
    assert 'r.bin holds 2 numbers; expected a multiple of 6' in check_data(root / 'data.jsonl').text()
    with pytest.raises(UserError, match='r.bin holds 2 numbers'):
        dataset[0]
    with pytest.raises(UserError, match='lists no radars.*give records a field radars'):
        (root / 'data.jsonl').write_text(json.dumps(RECORD))
        built(root, modality=dict(use_radar=True), pipeline=[])[0]


@pytest.mark.parametrize('name', ['r.bin', 'r.pcd'])
def test_another_radar_cloud_than_was_summed_is_refused(root, name):
    np.array([[1, 5, 0.5, 3, 0, 99]], '<f4').tofile(root / 'r.bin')
    rows = np.zeros(1, _ROW)
    rows['x'], rows['ambig_state'] = 7, 3
    (root / 'r.pcd').write_bytes(to_pcd(rows))
    shots = [RADAR, {'path': 'r.pcd', 'lidar_from_radar': LIDAR_FROM_RADAR, 'timestamp': 9.5}]
    (root / 'data.jsonl').write_text(json.dumps(changed(radars={'nose': shots})))
    check_data(root / 'data.jsonl', with_sums=root / 'summed.jsonl')
    loaded = dict(ann_file='summed.jsonl', modality=dict(use_radar=True),
                  pipeline=[GeminiLoadRadar(sweeps_num=1)])
    assert len(built(root, **loaded)[0]['radar_points']) == 2
    data = bytearray((root / name).read_bytes())
    data[-7] ^= 1
    (root / name).write_bytes(data)
    with pytest.raises(UserError, match=f'{name} is not the file that was converted'):
        built(root, **loaded)[0]
    assert not check_data(root / 'summed.jsonl').is_sound


def test_a_radar_alone_is_a_sample_and_a_silent_one_is_named(root):
    np.zeros((0, 6), '<f4').tofile(root / 'r.bin')
    (root / 'data.jsonl').write_text(json.dumps(changed(
        radars={'nose': [RADAR]}, points=None, images={}, sweeps=[])))
    report = check_data(root / 'data.jsonl')
    assert report.is_sound and any('without a return' in line and 'nose' in line for line in report.warnings)


def test_cameras_that_nobody_reads_or_that_are_absent_are_named(root):
    report = check_data(root / 'data.jsonl', cameras=('nose', 'roof'))
    assert any('none of nose, roof' in line and 'line 1: tail' in line for line in report.warnings)
    assert any('cameras without a picture; first: roof' in line for line in report.warnings)
    assert not check_data(root / 'data.jsonl', cameras=('nose', 'tail')).mistakes


def test_the_matrix_of_a_larger_picture_is_a_warning(root):
    other = [[50, 0, 70], [0, 50, 30], [0, 0, 1]]
    (root / 'data.jsonl').write_text(json.dumps(changed(images__nose__cam2img=other)))
    warnings = check_data(root / 'data.jsonl').warnings
    assert any('optical axis' in line and '70 of 80' in line for line in warnings)
