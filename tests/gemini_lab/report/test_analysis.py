"""Results taken apart: what belongs together is checked, what cannot be matched is said."""
import dataclasses
import json

import pytest

from gemini_lab.report.analysis import analyse, check_agreement, predictions_by_sample, why_no_analysis
from gemini_lab.report.metric_files import read_metrics
from geminifusion3d.errors import UserError

TOKENS = ['scene-0103-a', 'scene-0103-b', 'scene-0916-a', 'scene-0916-b']


def test_boxes_are_given_by_sample_the_predictions_best_first(analysis):
    found = predictions_by_sample(analysis.evaluated, TOKENS)
    assert sorted(found) == TOKENS
    scores = [box.detection_score for box in found[TOKENS[0]]]
    assert scores == [0.9, 0.4, 0.1]


def test_why_predictions_cannot_be_matched_is_said(tiny_nusc):
    whole = dict.fromkeys(TOKENS, 0)
    assert why_no_analysis(tiny_nusc, TOKENS, {**whole, TOKENS[0]: 1}) == ''
    assert why_no_analysis(tiny_nusc, TOKENS, whole) == 'nothing was predicted'
    assert '1 of the split\'s 4 samples' in why_no_analysis(tiny_nusc, TOKENS, {TOKENS[0]: 0})


def test_metrics_of_another_evaluation_are_refused(analysis, metrics_dir):
    metrics = read_metrics(metrics_dir)
    other = dataclasses.replace(metrics, class_ap={**metrics.class_ap, 'car': 0.0})
    with pytest.raises(UserError, match='for car, the metrics say 0.0000: they are of different'):
        check_agreement(analysis.breakdown, other, 'results.json')


def test_an_invalid_box_is_named(tiny_nusc, metrics_dir, tmp_path):
    content = json.loads((metrics_dir / 'results_nusc.json').read_text())
    content['results'][TOKENS[0]][0]['detection_name'] = 'tank'
    path = tmp_path / 'results_nusc.json'
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='the devkit refuses'):
        analyse(path, tiny_nusc, 'mini_val', read_metrics(metrics_dir), resamples=0)
