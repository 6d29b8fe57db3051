"""Resamples of scenes: alike scenes have no spread, unlike ones the spread that follows on paper."""
import json

import numpy as np
import pytest

from gemini_lab.analysis.breakdown import interval, match_all, scene_weights
from gemini_lab.analysis.evaluated_boxes import load_evaluated_boxes
from gemini_lab.report.analysis import resample
from gemini_lab.report.metric_files import TP_ERRORS, read_metrics


def test_the_interval_is_the_middle_of_what_exists():
    # Of 0 .. 40 the 2.5 % and 97.5 % points are 1 and 39.
    assert interval(np.array([*range(41), np.nan])) == (1.0, 39.0)
    assert interval(np.array([np.nan])) is None


def test_scenes_that_are_alike_give_the_official_figures_in_every_resample(analysis, metrics_dir):
    metrics = read_metrics(metrics_dir)
    resampled = analysis.resampled
    assert resampled.mean_ap == pytest.approx(np.full(5, metrics.mean_ap), abs=1e-9)
    assert resampled.nds == pytest.approx(np.full(5, metrics.nds), abs=1e-9)
    assert resampled.class_ap['car'] == pytest.approx(np.full(5, metrics.class_ap['car']), abs=1e-9)
    for error in TP_ERRORS:
        expected = np.full(5, metrics.mean_errors[error])
        assert resampled.mean_errors[error] == pytest.approx(expected, abs=1e-9)


def test_one_scene_found_and_one_missed_spread_from_nothing_to_all(tiny_nusc, metrics_dir, tmp_path):
    content = json.loads((metrics_dir / 'results_nusc.json').read_text())
    for token in content['results']:
        content['results'][token] = [box for box in content['results'][token]
                                     if box['detection_score'] == 0.9 and token.startswith('scene-0103')]
    path = tmp_path / 'results_nusc.json'
    path.write_text(json.dumps(content))
    evaluated = load_evaluated_boxes(result_path=path, tables=tiny_nusc, split='mini_val')
    resampled = resample(evaluated, match_all(evaluated), read_metrics(metrics_dir), resamples=12, seed=1)
    # Perfect precision up to recall r: the devkit's AP is 0 up to recall 0.1 and (r - 0.1) / 0.9 from
    # there; r is the share of the drawn scenes that is the found one: 0, 1/2 or 1.
    found = scene_weights(evaluated, 12, 1)[:, evaluated.tokens.index('scene-0103-a')]
    assert set(found) == {0, 1, 2}
    expected = np.array([0.0, 0.4 / 0.9, 1.0])[found.astype(int)]
    assert resampled.class_ap['car'] == pytest.approx(expected, abs=0.02)
