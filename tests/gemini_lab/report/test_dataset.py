"""The dataset as the report sees it: splits, boxes that pass the official filters, one sample's geometry."""
import json
import shutil

import numpy as np
import pytest

from gemini_lab.report.dataset import (choose_tokens, count_classes, count_predictions, predicted_boxes,
                                       read_results, read_sample, sample_names, split_tokens, truth_boxes)
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import open_tables

TOKEN = 'scene-0103-a'
SCENES = {'a': list('0123456789'), 'b': list('xyz')}


@pytest.mark.parametrize('count, expected', [
    (0, []), (1, ['5']), (2, ['5', 'y']),
    # Two parts of ten samples: 0-4 and 5-9, their middles 2 and 7.
    (3, ['2', '7', 'y']),
    (13, list('0123456789xyz')), (99, list('0123456789xyz'))])
def test_samples_are_spread_over_scenes_and_time(count, expected):
    assert choose_tokens(SCENES, count) == expected


def test_a_split_is_listed_by_scene_in_time_order(tiny_nusc):
    assert split_tokens(tiny_nusc, 'mini_val') == {
        'scene-0103': ['scene-0103-a', 'scene-0103-b'],
        'scene-0916': ['scene-0916-a', 'scene-0916-b']}


def test_a_sample_is_named_by_its_scene_and_second(tiny_nusc):
    names = sample_names(tiny_nusc, {'scene-0103': ['scene-0103-a', 'scene-0103-b']})
    assert names['scene-0103-b'] == 'scene-0103, 0.5 s'


def test_custom_splits_of_the_dataset_are_known(tiny_root, tmp_path):
    shutil.copytree(tiny_root, tmp_path / 'data')
    (tmp_path / 'data' / 'v1.0-mini' / 'splits.json').write_text(
        json.dumps({'mine': ['scene-0916']}))
    nusc = open_tables(data_root=tmp_path / 'data', version='v1.0-mini')
    assert list(split_tokens(nusc, 'mine')) == ['scene-0916']


def test_an_unknown_split_lists_the_known_ones(tiny_nusc):
    with pytest.raises(UserError, match="split 'vla' does not exist in .*mini_val"):
        split_tokens(tiny_nusc, 'vla')


def test_a_split_of_another_version_is_said_to_be_absent(tiny_nusc):
    with pytest.raises(UserError, match="no scene of split 'mini_train'"):
        split_tokens(tiny_nusc, 'mini_train')


@pytest.fixture()
def results(metrics_dir):
    return read_results(metrics_dir / 'results_nusc.json')


def test_ground_truth_beyond_the_class_range_is_not_shown(tiny_nusc):
    # The second car stands 70 m away, the range of cars is 50 m.
    boxes = truth_boxes(tiny_nusc, [TOKEN])
    assert [box.detection_name for box in boxes[TOKEN]] == ['car', 'pedestrian']
    assert count_classes(boxes) == {'car': 1, 'pedestrian': 1}


def test_predictions_come_best_first(tiny_nusc, results):
    boxes = predicted_boxes(tiny_nusc, results, [TOKEN])
    assert [box.detection_score for box in boxes[TOKEN]] == [0.9, 0.4, 0.1]


def test_samples_without_predictions_are_empty(tiny_nusc):
    assert predicted_boxes(tiny_nusc, {}, [TOKEN]) == {TOKEN: []}


def test_predictions_are_counted_from_a_score_on(results):
    assert count_predictions(results, 0.3) == {'car': 4, 'pedestrian': 4}


@pytest.mark.parametrize('change', [
    {'detection_name': 'tank'}, {'detection_score': -0.5}, {'translation': [1, 2]},
    {'size': None}])
def test_an_invalid_box_is_named_with_its_sample(tiny_nusc, results, change):
    broken = {TOKEN: [{**results[TOKEN][0], **change}]}
    with pytest.raises(UserError, match=f'sample {TOKEN} is invalid'):
        predicted_boxes(tiny_nusc, broken, [TOKEN])


def test_a_box_without_a_score_is_not_counted_silently():
    with pytest.raises(UserError, match='lacks a class or a score'):
        count_predictions({TOKEN: [{'detection_name': 'car'}]}, 0.3)


@pytest.mark.parametrize('content', [[], {}, {'results': []}])
def test_a_file_that_is_no_submission_is_named(tmp_path, content):
    (tmp_path / 'results.json').write_text(json.dumps(content))
    with pytest.raises(UserError, match='results.json is no submission'):
        read_results(tmp_path / 'results.json')


def test_the_front_camera_sees_what_is_ahead_along_its_depth(tiny_nusc):
    sample = read_sample(tiny_nusc, 'scene-0103-a', truth=[], predictions=[])
    front = next(camera for camera in sample.cameras if camera.channel == 'CAM_FRONT')
    # 10 m ahead, 2 m left, 1 m up: 2 m left of the axis, 1 m above it, at depth 10.
    ahead_cam = front.cam_from_global @ np.array([10, 2, 1, 1])
    assert np.allclose(ahead_cam, [-2, -1, 10, 1])


def test_the_time_counts_from_the_start_of_the_scene(tiny_nusc):
    sample = read_sample(tiny_nusc, 'scene-0103-b', truth=[], predictions=[])
    assert sample.second_in_scene == 0.5
    assert sample.scene_name == 'scene-0103'
    assert sample.lidar_path.is_file()
