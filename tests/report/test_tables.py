"""Figures as text and as tables."""
import math
import xml.etree.ElementTree as ElementTree

import pytest

from geminifusion3d.report.metric_files import read_metrics
from geminifusion3d.report.tables import (ap_cell, class_table, facts_list, figure_text,
                                          head_figures, modality_text, nan_mean)


@pytest.mark.parametrize('value, text', [
    (0.12345, '0.123'), (1, '1.000'), (math.nan, '–'), (None, '–'), (math.inf, '–')])
def test_a_figure_that_does_not_exist_is_a_dash(value, text):
    assert figure_text(value) == text


def test_bars_of_ap_are_as_long_as_the_value():
    assert '--share:25.0%' in ap_cell(0.25)
    assert '--share:0.0%' in ap_cell(math.nan)


def test_the_mean_skips_what_does_not_exist():
    assert nan_mean([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(nan_mean([math.nan]))


def test_modalities_are_named_in_words():
    assert modality_text({'use_camera': True, 'use_lidar': True, 'use_map': False}
                         ) == 'camera + LiDAR'
    assert modality_text({}) == '–'


def test_facts_are_escaped():
    assert '<dd>a &lt; b</dd>' in facts_list([('rule', 'a < b')])


def test_the_table_has_a_row_per_class_and_the_official_means(metrics_dir):
    metrics = read_metrics(metrics_dir)
    table = ElementTree.fromstring(class_table(metrics, ('car', 'traffic_cone'), {'car': 4}))
    rows = [[''.join(cell.itertext()) for cell in row] for row in table.iter('tr')]
    assert [row[0] for row in rows] == ['class', 'car', 'traffic cone', 'mean']
    assert all(len(row) == 12 for row in rows)
    # Orientation, velocity and attribute of a cone do not exist.
    assert rows[2][-3:] == ['–', '–', '–']
    assert rows[3][2] == figure_text(metrics.mean_ap)


def test_the_head_shows_nds_map_and_five_errors(metrics_dir):
    head = head_figures(read_metrics(metrics_dir))
    for name in ('NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE'):
        assert f'<span class="name">{name}</span>' in head
