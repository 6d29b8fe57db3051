"""Boxes pass the official filters; invalid ones are named."""
import json

import pytest

from geminifusion3d.errors import UserError
from gemini_lab.report.boxes import (count_classes, count_predictions, predicted_boxes, read_results, truth_boxes)

TOKEN = 'scene-0103-a'


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
    with pytest.raises(UserError, match='results.json has no object `results`'):
        read_results(tmp_path / 'results.json')
