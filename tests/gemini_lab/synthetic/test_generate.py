"""A generated dataset opens in the devkit, is consistent, and survives kills and mistakes."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes, load_gt
from nuscenes.eval.detection.config import config_factory
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.nuscenes import NuScenes
from nuscenes.utils.data_classes import LidarPointCloud
from nuscenes.utils.geometry_utils import points_in_box

from gemini_lab.synthetic import generate as generate_module
from gemini_lab.synthetic.generate import Request, generate
from gemini_lab.synthetic.rig import CHANNELS
from gemini_lab.synthetic.tables import SCENE_TABLES
from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(scope='module')
def nusc(synthetic_root):
    """The small world, opened by the devkit."""
    return NuScenes('v1.0-mini', str(synthetic_root), verbose=False)


def digests(root):
    """Maps every visible file of a dataset to the digest of its bytes."""
    return {str(path.relative_to(root)): hashlib.md5(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob('*'))
            if path.is_file() and path.relative_to(root).parts[0] != '.synthetic'}


def test_every_row_points_to_a_file_and_every_sample_has_all_sensors(nusc, synthetic_root):
    assert len(nusc.scene) == 2 and len(nusc.sample) == 4 and len(nusc.category) == 23
    for row in nusc.sample_data:
        assert (synthetic_root / row['filename']).is_file()
    for sample in nusc.sample:
        assert sorted(sample['data']) == sorted(CHANNELS)
        lidar = nusc.get('sample_data', sample['data']['LIDAR_TOP'])
        assert lidar['timestamp'] == sample['timestamp']


def test_chains_of_sweeps_run_from_the_first_to_the_last(nusc):
    for scene in nusc.scene:
        sample = nusc.get('sample', scene['first_sample_token'])
        row = nusc.get('sample_data', sample['data']['LIDAR_TOP'])
        assert row['prev'] == ''
        times = [row['timestamp']]
        while row['next']:
            row = nusc.get('sample_data', row['next'])
            times.append(row['timestamp'])
        assert len(times) == 11 and times == sorted(times)


def test_annotated_counts_are_the_points_that_the_devkit_finds(nusc, synthetic_root):
    sample = nusc.sample[0]
    path, boxes, _intrinsic = nusc.get_sample_data(sample['data']['LIDAR_TOP'])
    points = LidarPointCloud.from_file(path).points[:3]
    found = [int(points_in_box(box, points).sum()) for box in boxes]
    noted = [nusc.get('sample_annotation', box.token)['num_lidar_pts'] for box in boxes]
    assert sum(noted) > 500
    # The devkit multiplies in another order: a point on the very edge may fall either side.
    assert sum(abs(a - b) for a, b in zip(found, noted)) <= 3


def test_orange_cones_are_where_their_boxes_project(nusc):
    seen = 0
    for sample in nusc.sample:
        for channel in (name for name in CHANNELS if name.startswith('CAM')):
            path, boxes, intrinsic = nusc.get_sample_data(sample['data'][channel])
            image = cv2.imread(path)
            for box in boxes:
                row = nusc.get('sample_annotation', box.token)
                if (box.name != 'movable_object.trafficcone' or row['visibility_token'] != '4'
                        or not 3 < box.center[2] < 30):
                    continue
                u, v, depth = intrinsic @ (box.center + [0, 0.18 * box.wlh[2], 0])
                u, v = int(u / depth), int(v / depth)
                if 0 <= u < 1600 and 0 <= v < 900:
                    blue, _green, red = (int(value) for value in image[v, u])
                    seen += 1
                    assert red > 2 * blue
    assert seen >= 3


@pytest.mark.parametrize('split', ['mini_train', 'mini_val'])
def test_all_ten_classes_can_be_evaluated_in_both_splits(nusc, split):
    boxes = add_center_dist(nusc, load_gt(nusc, split, DetectionBox))
    boxes = filter_eval_boxes(nusc, boxes, config_factory('detection_cvpr_2019').class_range)
    assert {box.detection_name for box in boxes.all} == set(CLASS_NAMES)
    moving = [box for box in boxes.all if box.detection_name not in ('barrier', 'traffic_cone')]
    assert all(box.attribute_name for box in moving)
    assert np.isfinite([box.velocity for box in boxes.all]).any()


def test_a_second_run_changes_nothing_and_other_arguments_are_refused(synthetic_root):
    request = Request(synthetic_root, 'v1.0-mini', 2, 2, workers=1)
    assert generate(request) is False
    with pytest.raises(UserError, match='samples_per_scene=2, now samples_per_scene=3'):
        generate(request._replace(samples_per_scene=3))
    with pytest.raises(UserError, match='seed=0, now seed=5'):
        generate(request._replace(seed=5, version='v1.0-test'))


def test_a_foreign_dataset_is_left_alone(tmp_path):
    (tmp_path / 'v1.0-mini').mkdir()
    with pytest.raises(UserError, match='not written by this tool'):
        generate(Request(tmp_path, 'v1.0-mini', 1, 2, workers=1))
    assert [path.name for path in tmp_path.iterdir()] == ['v1.0-mini']


TINY = dict(version='v1.0-mini', scenes=1, samples_per_scene=2, workers=1)


def snapshot(folder: Path) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


@pytest.mark.parametrize('present', ['v1.0-trainval/sample.json',
                         'maps/real.png', 'samples/CAM_FRONT/real.jpg'])
@pytest.mark.parametrize('replace', [False, True])
def test_a_folder_with_somebodys_data_is_never_written_to(tmp_path, present, replace):
    (tmp_path / present).parent.mkdir(parents=True)
    (tmp_path / present).write_bytes(b'somebody')
    for seed in (0, 1):
        with pytest.raises(UserError, match='was not written by this tool'):
            generate(Request(tmp_path, seed=seed, replace=replace, **TINY))
        assert snapshot(tmp_path) == {present: b'somebody'}


def test_own_tables_give_way_on_request_and_those_that_took_their_place_do_not(tmp_path, monkeypatch):
    def write_little(root, task):
        write_json(task[0], {name: [] for name in SCENE_TABLES})

    monkeypatch.setattr(generate_module, '_run_scene', write_little)
    assert generate(Request(tmp_path, **TINY))
    with pytest.raises(UserError, match='made with seed=0, now seed=1'):
        generate(Request(tmp_path, seed=1, **TINY))
    assert generate(Request(tmp_path, seed=1, replace=True, **TINY))
    assert not generate(Request(tmp_path, seed=1, replace=True, **TINY))
    # Somebody unpacks real tables where the synthetic ones were; the mark stayed behind.
    (tmp_path / 'v1.0-mini' / 'sample.json').write_text('[{"token": "real"}]')
    before = snapshot(tmp_path)
    for arguments in (dict(seed=2, replace=True), dict(seed=1, replace=True), dict(seed=1)):
        with pytest.raises(UserError, match='nothing was changed'):
            generate(Request(tmp_path, **{**TINY, **arguments}))
    assert snapshot(tmp_path) == before


def test_numbers_out_of_range_are_refused(tmp_path):
    with pytest.raises(UserError, match='--samples-per-scene 41'):
        generate(Request(tmp_path, 'v1.0-mini', 1, 41))
    with pytest.raises(UserError, match='--workers 0'):
        generate(Request(tmp_path, 'v1.0-mini', 1, 2, workers=0))


def test_the_command_line_ends_a_mistake_in_one_line(gemini3d, tmp_path):
    done = gemini3d('synthetic', '--out', tmp_path, '--version', 'v1.0-maxi')
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        'error: --version v1.0-maxi is unknown: expected one of v1.0-mini, v1.0-trainval, '
        'v1.0-test']


@pytest.mark.parametrize('flags, sentence', [
    (['--kitti', '--version', 'v1.0-test', '--all-sweeps'], '--kitti got --version, --all-sweeps, which it'),
    (['--records', '--kitti'], '--records got --kitti, which it would not read')])
def test_flags_that_a_form_does_not_read_are_refused(gemini3d, tmp_path, flags, sentence):
    done = gemini3d('synthetic', '--out', tmp_path / 'world', *flags)
    assert done.returncode == 2 and sentence in done.stderr and done.stderr.count('\n') == 1
    assert not (tmp_path / 'world').exists()


def test_a_full_disk_ends_in_one_sentence_and_no_dataset(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('gemini_lab.synthetic.scene_simulation.write_file', refuse)
    with pytest.raises(UserError, match='No space left on device.*run the same command again'):
        generate(Request(tmp_path, 'v1.0-mini', 1, 2, workers=1))
    assert not (tmp_path / 'v1.0-mini').exists()


def test_a_killed_run_is_no_dataset_and_the_next_one_ends_with_the_same_bytes(
        synthetic_root, tmp_path):
    command = [sys.executable, '-W', 'ignore', str(REPO / 'tools' / 'create_synthetic.py'),
               '--out', str(tmp_path), '--version', 'v1.0-mini', '--scenes', '2',
               '--samples-per-scene', '2', '--workers', '2']
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob('samples/CAM_FRONT/*.jpg')) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert list(tmp_path.glob('samples/CAM_FRONT/*.jpg'))
    assert not (tmp_path / 'v1.0-mini').exists()
    generate(Request(tmp_path, 'v1.0-mini', 2, 2, workers=1))
    assert digests(tmp_path) == digests(synthetic_root)


def test_the_test_version_has_scenes_but_no_annotations(tmp_path):
    generate(Request(tmp_path, 'v1.0-test', 1, 2, workers=1))
    nusc = NuScenes('v1.0-test', str(tmp_path), verbose=False)
    assert len(nusc.sample) == 2
    assert nusc.instance == [] and nusc.sample_annotation == []
    assert [scene['description'] for scene in nusc.scene] == ['']


def test_tables_hold_only_official_fields(synthetic_root):
    rows = json.loads((synthetic_root / 'v1.0-mini' / 'sample_annotation.json').read_text())
    assert set(rows[0]) == {'token', 'sample_token', 'instance_token', 'visibility_token',
                            'attribute_tokens', 'translation', 'size', 'rotation', 'prev', 'next',
                            'num_lidar_pts', 'num_radar_pts'}
    assert len(list((synthetic_root / 'v1.0-mini').glob('*.json'))) == 13
