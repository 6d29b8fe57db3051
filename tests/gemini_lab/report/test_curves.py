"""Charts: classes with matches only, errors that are defined, smoothing by hand."""
from xml.etree import ElementTree

from gemini_lab.report.curves import (MAX_POINTS, error_charts, precision_charts, smoothed, thinned,
                                      training_charts)
from gemini_lab.report.metric_files import read_metrics
from gemini_lab.report.training_log import TrainingLog


def test_only_classes_with_matches_have_charts(metrics_dir):
    metrics = read_metrics(metrics_dir)
    for charts in (precision_charts(metrics, ('car', 'bus')), error_charts(metrics, ('car', 'bus'))):
        assert [chart.title for chart in charts] == ['car']
        ElementTree.fromstring(charts[0].svg.replace('xlink:href', 'href'))


def test_smoothing_does_not_lag_at_the_ends():
    series = [(float(step), float(step)) for step in range(100)]
    assert smoothed(series) == series
    assert smoothed([(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)])[1] == (1.0, 1.0)


def test_thinning_keeps_the_last_point():
    series = [(float(step), 0.0) for step in range(1001)]
    assert len(thinned(series)) <= MAX_POINTS and thinned(series)[-1] == series[-1]


def test_training_shows_what_was_logged():
    log = TrainingLog(losses={'loss': [(1.0, 2.0), (2.0, 1.0)]}, rates={'lr': [(1.0, 0.1)]})
    assert [chart.title for chart in training_charts(log)] == ['Loss', 'Learning rate']
