"""Figures as text and as tables."""
import math
import xml.etree.ElementTree as ElementTree

import numpy as np

from gemini_lab.report.bootstrap import Resampled
from gemini_lab.report.html_table import figure_text
from gemini_lab.report.metric_files import TP_ERRORS, read_metrics
from gemini_lab.report.tables import class_table, facts_list, head_figures, modality_text, nan_mean

# Of 0, 1, .. 100 hundredths the middle 95 % are 0.025 to 0.975.
SPREAD = np.arange(101) / 100
RESAMPLED = Resampled(mean_ap=SPREAD, nds=SPREAD / 2, mean_errors=dict.fromkeys(TP_ERRORS, SPREAD),
                      class_ap={'car': SPREAD, 'bus': SPREAD})


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


def test_intervals_stand_behind_the_means_and_the_classes_that_have_objects(metrics_dir):
    metrics = read_metrics(metrics_dir)
    head = head_figures(metrics, RESAMPLED)
    assert head.count('<span class="spread">0.025–0.975</span>') == 6
    assert '<span class="spread">0.013–0.487</span>' in head
    table = class_table(metrics, ('car', 'bus'), {'car': 4}, RESAMPLED)
    # Once for cars, once in the means; a class without objects has none.
    assert table.count('>0.025–0.975</small>') == 2
