"""The ground-truth database: exactly the points inside the boxes, the same bytes, however it was made."""
import json
from pathlib import Path

import numpy as np
import pytest
from box_points import points_in_box
from mmengine.registry import init_default_scope
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters import gt_database
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.data_converters.gt_database import build_gt_database, training_split
from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.safe_pickle import load_plain_pickle
from geminifusion3d.sensors import GeminiNuScenesDataset
from geminifusion3d.sensors.object_database import ObjectDatabase

SWEEPS = 2


@pytest.fixture(scope='module')
def info_file(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted synthetic mini_train, as the command converts so few keyframes."""
    init_default_scope('mmdet3d')
    out = tmp_path_factory.mktemp('infos')
    return convert_nuscenes(synthetic_root, 'v1.0-mini', out, reads_all=True)['mini_train']


@pytest.fixture(scope='module')
def folder(synthetic_root: Path, info_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its database; read only."""
    return build_gt_database(info_file, synthetic_root, tmp_path_factory.mktemp('database'),
                             sweeps_num=SWEEPS)


def content(folder: Path) -> dict:
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_it_holds_exactly_the_points_inside_the_boxes(synthetic_root, info_file, folder):
    load = [dict(type='GeminiLoadPoints', sweeps_num=SWEEPS),
            dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)]
    dataset = GeminiNuScenesDataset(data_root=str(synthetic_root), ann_file=str(info_file), pipeline=load,
                                    modality=dict(use_camera=False, use_lidar=True), filter_empty_gt=False)
    expected = {name: [] for name in CLASS_NAMES}
    for sample in (dataset[index] for index in range(len(dataset))):
        points = sample['points'].tensor.numpy()
        counts = [one['num_lidar_pts'] for one in sample['instances']
                  if one['bbox_3d_isvalid'] and one['bbox_label'] >= 0]
        boxes, labels = sample['gt_bboxes_3d'].numpy(), sample['gt_labels_3d']
        assert len(counts) == len(boxes)
        for box, label, count in zip(boxes, labels, counts):
            inside = points[points_in_box(points[:, :3], box)]
            if count > 0 and len(inside):
                expected[CLASS_NAMES[label]].append((box, inside))
    database = ObjectDatabase(folder)
    assert sum(map(len, expected.values())) >= 10
    for name, objects in expected.items():
        assert len(database.boxes(name)) == len(objects) == database.metainfo['num_objects'][name]
        for index, (box, inside) in enumerate(objects):
            np.testing.assert_array_equal(database.boxes(name)[index], box)
            np.testing.assert_array_equal(database.points(name, index), inside)
            assert database.num_points(name)[index] == len(inside)


def test_points_of_earlier_sweeps_come_along_with_their_time(folder):
    database = ObjectDatabase(folder)
    name = max(CLASS_NAMES, key=lambda name: database.num_points(name).sum())
    clouds = [database.points(name, index) for index in range(len(database.boxes(name)))]
    assert len(np.unique(np.concatenate(clouds)[:, 4])) == SWEEPS + 1


def test_it_says_what_it_was_made_from(folder):
    metainfo = json.loads((folder / 'database.json').read_text())
    assert folder.name == 'gt_database_mini_train'
    assert metainfo['split'] == 'mini_train' and metainfo['version'] == 'v1.0-mini'
    assert metainfo['sweeps_num'] == SWEEPS and metainfo['remove_close_m'] == 1.0


def test_void_and_unseen_objects_are_left_out(tmp_path):
    root = write_tiny_nuscenes(tmp_path)
    infos = convert_nuscenes(root, 'v1.0-mini', root)
    metainfo = ObjectDatabase(build_gt_database(infos['mini_train'], root, root)).metainfo
    # No landmark happens to lie in the dog's, the pedestrian's or the radar truck's box.
    kept = {name for name, count in metainfo['num_objects'].items() if count}
    assert kept <= {'car', 'barrier'}


def grown(info: dict) -> dict:
    """The same record with boxes so large that each holds points."""
    instances = [{**one, 'bbox_3d': [0, 0, 0, 100, 100, 20, 0]} for one in info['instances']]
    return {**info, 'instances': instances}


def test_boxes_that_the_lidar_did_not_see_are_left_out_even_with_points_of_others(tmp_path, monkeypatch):
    root = write_tiny_nuscenes(tmp_path)
    infos = convert_nuscenes(root, 'v1.0-mini', root)
    plain = GeminiNuScenesDataset.get_data_info
    monkeypatch.setattr(GeminiNuScenesDataset, 'get_data_info', lambda self, idx: grown(plain(self, idx)))
    counts = ObjectDatabase(build_gt_database(infos['mini_train'], root, root)).metainfo['num_objects']
    # Two cars in three keyframes, a barrier in one; neither dog (void), pedestrian nor radar truck.
    assert {name: count for name, count in counts.items() if count} == {'car': 6, 'barrier': 1}


def test_bytes_do_not_depend_on_workers_or_on_an_interruption(tmp_path, monkeypatch):
    scenes = ['scene-0061', 'scene-0553', 'scene-0655']
    root = write_tiny_nuscenes(tmp_path / 'root', scenes=scenes)
    info_file = convert_nuscenes(root, 'v1.0-mini', root)['mini_train']
    plain_info = GeminiNuScenesDataset.get_data_info
    monkeypatch.setattr(GeminiNuScenesDataset, 'get_data_info',
                        lambda self, idx: grown(plain_info(self, idx)))
    one = build_gt_database(info_file, root, tmp_path / 'one')
    two = build_gt_database(info_file, root, tmp_path / 'two', workers=2)
    assert content(one) == content(two) and len(content(one)) == 9

    cut, plain = [], gt_database._cut_scene

    def stop_at_the_third(source: object, task: tuple) -> None:
        cut.append(task)
        if len(cut) == 3:
            raise KeyboardInterrupt
        plain(source, task)

    monkeypatch.setattr(gt_database, '_cut_scene', stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        build_gt_database(info_file, root, tmp_path / 'three')
    assert not (tmp_path / 'three' / one.name).exists()
    three = build_gt_database(info_file, root, tmp_path / 'three')
    # Two scenes were finished before the interruption; only the third was cut again.
    assert len(cut) == 4 and content(three) == content(one)
    assert [path.name for path in (tmp_path / 'three').iterdir()] == [one.name]


def test_a_finished_database_is_kept_and_one_of_other_sweeps_is_replaced(synthetic_root, info_file, tmp_path,
                                                                         folder, monkeypatch):
    again = build_gt_database(info_file, synthetic_root, tmp_path, sweeps_num=SWEEPS)
    before = content(again)
    assert before == content(folder)
    with monkeypatch.context() as patch:
        patch.setattr(gt_database, '_cut_scenes', None)
        assert build_gt_database(info_file, synthetic_root, tmp_path, sweeps_num=SWEEPS) == again
    build_gt_database(info_file, synthetic_root, tmp_path, sweeps_num=0)
    assert ObjectDatabase(again).metainfo['sweeps_num'] == 0
    assert content(again) != before
    assert [path.name for path in tmp_path.iterdir()] == [again.name]


def test_a_full_disk_is_one_sentence_and_keeps_the_old_database(synthetic_root, info_file, tmp_path,
                                                                monkeypatch):
    old = content(build_gt_database(info_file, synthetic_root, tmp_path, sweeps_num=SWEEPS))

    def full(*_: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(gt_database, 'join_objects', full)
    with pytest.raises(UserError, match='No space left on device.*the same command goes on'):
        build_gt_database(info_file, synthetic_root, tmp_path, sweeps_num=1)
    assert content(tmp_path / 'gt_database_mini_train') == old


def test_the_training_split_is_chosen_if_it_is_clear():
    path = Path('infos.pkl')
    assert training_split({'mini_val': path, 'mini_train': path}) == 'mini_train'
    assert training_split({'mine': path}) == 'mine'
    with pytest.raises(UserError, match='one, two: which split'):
        training_split({'one': path, 'two': path})


def test_the_command_line_builds_it(gemini3d, synthetic_root, tmp_path, folder):
    arguments = (
        '--dataroot',
        synthetic_root,
        '--out',
        tmp_path,
        '--database-sweeps',
        SWEEPS,
        '--workers',
        1,
        '--with-gt-database')
    printed = gemini3d('convert', *arguments).stdout
    assert f'ground-truth database: {tmp_path}/gt_database_mini_train (' in printed
    assert content(tmp_path / 'gt_database_mini_train') == content(folder)


@pytest.mark.parametrize('extra, message', [
    (('--with-gt-database', 'nowhere'), 'only mini_train, mini_val have been converted'),
    (('--with-gt-database', '--database-sweeps', 11), 'expected 0 to --max-sweeps 10')])
def test_the_command_line_ends_a_mistake_in_one_line(gemini3d, synthetic_root, tmp_path, extra, message):
    done = gemini3d('convert', '--dataroot', synthetic_root, '--out', tmp_path, *extra)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.splitlines()[-1].startswith('error: ')


def test_boxes_of_the_real_keyframe_hold_the_points_that_their_annotations_count(keyframe_root, tmp_path):
    info_file = convert_nuscenes(keyframe_root, 'v1.0-mini', tmp_path)['mini_train']
    database = ObjectDatabase(build_gt_database(info_file, keyframe_root, tmp_path, sweeps_num=0))
    instances = load_plain_pickle(info_file)['data_list'][0]['instances']
    for label, name in enumerate(CLASS_NAMES):
        stated = [one['num_lidar_pts'] for one in instances
                  if one['bbox_label'] == label and one['num_lidar_pts'] > 0]
        assert len(database.boxes(name)) == len(stated)
        # A box's tilt, which training drops, moves few points across its border.
        assert database.num_points(name).sum() == pytest.approx(sum(stated), rel=0.05)
