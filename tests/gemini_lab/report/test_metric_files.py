"""The devkit's metric files: figures, curves, figures that do not exist, broken files."""
import json
import math

import numpy as np
import pytest

from gemini_lab.report.metric_files import Curve, Metrics, operating_score, reached_part, read_metrics
from geminifusion3d.errors import UserError


def test_the_devkits_own_files_are_read(metrics_dir):
    metrics = read_metrics(metrics_dir)
    summary = json.loads((metrics_dir / 'metrics_summary.json').read_text())
    assert metrics.mean_ap == summary['mean_ap']
    assert metrics.nds == summary['nd_score']
    assert metrics.class_ap_at_m['car'][0.5] == summary['label_aps']['car']['0.5']
    assert set(metrics.curves) == set(summary['mean_dist_aps'])
    assert sorted(metrics.curves['car']) == [0.5, 1.0, 2.0, 4.0]
    assert metrics.modality['use_lidar'] is True


def test_nan_and_null_are_figures_that_do_not_exist(metrics_dir, tmp_path):
    text = (metrics_dir / 'metrics_summary.json').read_text()
    (tmp_path / 'metrics.json').write_text(text.replace('NaN', 'null'))
    for folder in (metrics_dir, tmp_path):
        assert math.isnan(read_metrics(folder).class_errors['traffic_cone']['orient_err'])


def test_curves_are_optional(metrics_dir, tmp_path):
    (tmp_path / 'metrics.json').write_text((metrics_dir / 'metrics_summary.json').read_text())
    assert read_metrics(tmp_path).curves == {}


def test_a_curve_ends_at_the_recall_that_was_reached():
    curve = reached_part({'recall': [0, 0.5, 1], 'precision': [1, 0.5, 0],
                          'confidence': [0.9, 0.3, 0]})
    assert curve.recall.tolist() == [0, 0.5]
    assert curve.precision.tolist() == [1, 0.5]


def test_the_score_to_draw_from_is_the_median_of_the_best_f1():
    # F1 of class a: 2*0.5*1/1.5 = 0.67 at 0.8, 2*1*0.8/1.8 = 0.89 at 0.4 -> 0.4; of b: 0.6 only.
    curves = {'a': {2.0: Curve(np.array([0.5, 1]), np.array([1, 0.8]), np.array([0.8, 0.4]))},
              'b': {2.0: Curve(np.array([0.5]), np.array([0.5]), np.array([0.6]))},
              'c': {2.0: Curve(np.array([]), np.array([]), np.array([]))}}
    metrics = Metrics(mean_ap=0, nds=0, mean_errors={}, class_ap={}, class_ap_at_m={},
                      class_errors={}, modality={}, curves=curves)
    assert operating_score(metrics) == 0.5


def test_an_empty_folder_says_what_it_should_hold(tmp_path):
    with pytest.raises(UserError, match='none of metrics_summary.json, metrics.json'):
        read_metrics(tmp_path)


@pytest.mark.parametrize('text, expected', [
    ('{', 'not valid JSON'), ('{}', 'mean_ap'), ('[]', 'not a metrics file')])
def test_a_broken_summary_is_named(tmp_path, text, expected):
    (tmp_path / 'metrics.json').write_text(text)
    with pytest.raises(UserError, match=expected):
        read_metrics(tmp_path)
