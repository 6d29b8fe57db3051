"""Figures as words and as tables."""
import math

import numpy as np
import pytest

from gemini_lab.report.analysis import Resampled
from gemini_lab.report.metric_files import TP_ERRORS, read_metrics
from gemini_lab.report.tables import (breakdown_tables, class_table, difference, difference_text, figure_text,
                                      interval_text, model_tables, score, tiles)

# Of 0, 1, .. 100 hundredths the middle 95 % are 0.025 to 0.975.
SPREAD = np.arange(101) / 100
RESAMPLED = Resampled(mean_ap=SPREAD, nds=SPREAD / 2, mean_errors=dict.fromkeys(TP_ERRORS, SPREAD),
                      class_ap={'car': SPREAD, 'bus': SPREAD})


def texts(table):
    return [[cell.text for cell in row] for _, rows in table.groups for row in rows]


@pytest.mark.parametrize('value, text', [(0.12345, '0.123'), (None, '–'), (math.nan, '–'), (math.inf, '–')])
def test_a_figure_that_does_not_exist_is_a_dash(value, text):
    assert figure_text(value) == text


def test_intervals_and_differences_have_their_signs():
    assert interval_text((0.1, 0.25)) == '0.100–0.250' and interval_text((-0.1, 0.2)) == '−0.100 to +0.200'
    assert interval_text((0.2, 0.2)) == interval_text(None) == ''
    shown = [difference_text(value) for value in (0.25, -0.25, 0.0, -0.0001)]
    assert shown == ['+0.250', '−0.250', '0.000', '0.000']
    assert (difference(0.1).style, difference(0.1, lower_is_better=True).style) == ('better', 'worse')
    assert (score(1.5).share, score(None).share) == (1.0, 0.0)


def test_the_table_has_a_row_per_class_and_the_official_means(metrics_dir):
    metrics = read_metrics(metrics_dir)
    table = class_table(metrics, ('car', 'traffic_cone'), {'car': 4}, {'car': 6})
    rows = [*texts(table), [cell.text for cell in table.foot]]
    assert [row[:3] for row in rows] == [['car', '4', '6'], ['traffic cone', '0', '0'], ['mean', '4', '6']]
    assert {len(row) for row in (table.heads, *rows)} == {13}
    # Orientation, velocity and attribute of a cone do not exist.
    assert rows[1][-3:] == ['–', '–', '–']
    assert rows[2][3] == figure_text(metrics.mean_ap)


def test_the_tiles_show_nds_map_and_five_errors_with_their_intervals(metrics_dir):
    shown = tiles(read_metrics(metrics_dir), RESAMPLED)
    assert [tile['name'] for tile in shown] == ['NDS', 'mAP', 'mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE']
    assert [tile['spread'] for tile in shown] == ['0.013–0.487', *['0.025–0.975'] * 6]


def test_a_class_without_objects_has_no_interval(metrics_dir):
    table = class_table(read_metrics(metrics_dir), ('car', 'bus'), {'car': 4}, {}, RESAMPLED)
    assert [row[3].note for _, rows in table.groups for row in rows] == ['0.025–0.975', '']


def test_parts_share_one_grid_and_those_without_objects_are_left_out(analysis):
    means, classes = breakdown_tables(analysis.breakdown, ('car', 'pedestrian', 'bus'))
    # All objects are visible, near and in one city: only their classes' points and motion could differ.
    assert all(len(rows) > 1 for _, rows in means.groups)
    assert all(row[1] != '0' for row in texts(means))
    assert {len(row) for row in texts(means)} <= {len(means.heads)}
    assert {len(row) for row in texts(classes)} <= {len(classes.heads)}


def test_two_models_differ_by_this_minus_the_other(models):
    tables = model_tables(models, ('car', 'pedestrian'))
    rows = {row[0]: row for row in texts(tables['Figures'])}
    this, other = models.metrics
    assert rows['mAP'][1:] == [figure_text(this.mean_ap), figure_text(other.mean_ap),
                               difference_text(this.mean_ap - other.mean_ap)]
    # The first model alone finds the four cars.
    alone = next(table for title, table in tables.items() if title.startswith(f'Found by {models.names[0]}'))
    assert [row[0] for row in texts(alone)] == ['car'] * 4
    # Eight objects: four pedestrians by both, four cars by the first.
    assert texts(tables['Objects by distance'])[0] == ['0-20 m', '8', '4', '4', '0', '0']
