"""What the charts show: smoothing, thinning, which curves appear."""
import numpy as np
import pytest

from gemini_lab.report.charts import (MAX_POINTS, class_chart, class_count_chart, smoothed, thin_out, training_charts)
from gemini_lab.report.metric_files import read_metrics
from gemini_lab.report.training_log import TrainingLog


def test_smoothing_takes_the_mean_of_neighbours_and_keeps_the_ends():
    assert smoothed([(1, 3.0), (2, 6.0), (3, 0.0)]) == [(1, 3.0), (2, 3.0), (3, 0.0)]


def test_smoothing_keeps_a_straight_line():
    line = [(step, 2.0 * step) for step in range(500)]
    assert np.allclose(smoothed(line), line)


@pytest.mark.parametrize('length', [1, 2, MAX_POINTS, MAX_POINTS + 1, 5 * MAX_POINTS + 7])
def test_thinning_keeps_the_last_point_and_not_too_many(length):
    kept = thin_out([(step, 0.0) for step in range(length)])
    assert kept[-1] == (length - 1, 0.0)
    assert len(kept) <= MAX_POINTS


def test_a_class_without_objects_or_matches_says_so(metrics_dir):
    metrics = read_metrics(metrics_dir)
    assert 'not in this split' in class_chart(metrics, 'bus', 0)
    assert 'no match' in class_chart(metrics, 'bus', 3)
    assert class_chart(metrics, 'car', 4).count('<polyline') == 4


def test_training_charts_show_what_was_logged():
    loss = [(1, 2.0), (2, 1.0)]
    assert training_charts(TrainingLog(losses={'loss': loss})).count('<svg') == 1
    full = TrainingLog(losses={'loss': loss, 'loss_bbox': loss}, scores={'mAP': [(1, 0.1)]},
                       rates={'lr': [(1, 0.0), (2, 0.0)]})
    assert training_charts(full).count('<svg') == 4


def test_counts_of_absent_classes_are_zero():
    assert class_count_chart(('car', 'bus'), {'car': 3}, {}).count('>0</text>') == 3
