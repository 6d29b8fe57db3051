"""Error curves: which errors a class has, what is cut off."""
import dataclasses
import re

import numpy as np

from gemini_lab.report.error_charts import HIGHEST_TOP, capped, error_chart, error_legend
from gemini_lab.report.metric_files import Curve, read_metrics
from gemini_lab.report.svg_chart import Line


def with_curve(metrics, name, errors):
    curve = Curve(np.array([0.0, 0.5]), np.ones(2), np.ones(2), errors)
    return dataclasses.replace(metrics, curves={name: {2.0: curve}})


def test_every_defined_error_has_a_curve(metrics_dir):
    metrics = read_metrics(metrics_dir)
    assert error_chart(metrics, 'car', 4).count('<polyline') == 5
    # Orientation, velocity and attribute of a cone are not defined.
    errors = dict.fromkeys(('trans_err', 'scale_err', 'orient_err', 'vel_err', 'attr_err'), np.ones(2))
    cone = with_curve(metrics, 'traffic_cone', errors)
    assert cone.class_errors['traffic_cone']['trans_err'] == 1.0
    assert error_chart(cone, 'traffic_cone', 4).count('<polyline') == 2


def test_the_curve_is_the_devkits_mean_over_the_matches(metrics_dir):
    # Each car is 0.1 m off.
    curve = read_metrics(metrics_dir).curves['car'][2.0]
    assert np.allclose(curve.errors['trans_err'], 0.1)


def test_what_is_far_off_runs_along_the_upper_edge(metrics_dir):
    assert capped([Line('a', 'b', [(0, 1.0), (1, 9.0)])], 2.0)[0].points == [(0, 1.0), (1, 2.0)]
    metrics = with_curve(read_metrics(metrics_dir), 'car', {'vel_err': np.array([1.0, 7.5])})
    assert 'up to 7.5' in error_chart(metrics, 'car', 4)
    assert HIGHEST_TOP < 7.5


def test_a_class_without_matches_says_so(metrics_dir):
    metrics = read_metrics(metrics_dir)
    assert 'not in this split' in error_chart(metrics, 'bus', 0)
    assert 'no match' in error_chart(metrics, 'bus', 3)


def test_the_legend_has_names_and_units():
    assert re.findall(r'\(([^)]+)\)', error_legend()) == ['m', '1 − IoU', 'rad', 'm/s', '1 − acc']
