"""Charts: round ticks, places by hand, dots for single points, bars in proportion."""
import re
import xml.etree.ElementTree as ElementTree

import pytest

from gemini_lab.report.svg_chart import (Axis, Frame, Line, bar_chart, line_chart, tick_label, tick_values)

# A plot area of 100 x 100 with its corner at (10, 0).
FRAME = Frame(width=110, height=110, left=10, right=0, top=0, bottom=10)


@pytest.mark.parametrize('low, high, count, expected', [
    (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    (0, 1, 4, [0, 0.5, 1]),
    (3, 47, 5, [10, 20, 30, 40]),
    (0, 0.001, 4, [0, 0.0005, 0.001]),
    (-1, 1, 4, [-1, -0.5, 0, 0.5, 1]),
])
def test_ticks_are_round_and_within_the_ends(low, high, count, expected):
    assert tick_values(low, high, count) == pytest.approx(expected)


@pytest.mark.parametrize('value, text', [(0, '0'), (0.5, '0.5'), (20, '20'), (1500, '1.5k'),
                                         (0.0005, '5e-4'), (0.001, '0.001')])
def test_tick_labels_are_short(value, text):
    assert tick_label(value) == text


def test_a_curve_runs_through_its_points():
    # x: 0..10 over 100 px from 10; y: 0..4 over 100 px, upwards from 100.
    chart = line_chart(Axis('x', 0, 10), Axis('y', 0, 4),
                       [Line('a', 'main', [(0, 0), (5, 1), (10, 4)])], title='t', frame=FRAME)
    assert 'points="10.0,100.0 60.0,75.0 110.0,0.0"' in chart


def test_a_single_point_is_a_dot():
    chart = line_chart(Axis('x', 0, 10), Axis('y', 0, 4), [Line('a', 'main', [(5, 1)])],
                       title='t', frame=FRAME)
    assert '<circle class="dot main" cx="60.0" cy="75.0"' in chart


def test_charts_are_well_formed_and_escape_names():
    chart = line_chart(Axis('<x>', 0, 1), Axis('a & b', 0, 1),
                       [Line('<i>', 'm', [(0, 0), (1, 1)])], title='"t"')
    ElementTree.fromstring(chart)
    ElementTree.fromstring(bar_chart([('<b>', (1, 2))], ('truth', 'pred'), title='&'))


def test_bars_are_as_long_as_their_values():
    chart = bar_chart([('car', (10, 5)), ('bus', (0, 1))], ('truth', 'pred'), title='t',
                      width=260, name_width=100)
    # The longest bar takes 260 - 100 - 60 = 100.
    assert re.findall(r' width="([\d.]+)"', chart) == ['100.0', '50.0', '0.0', '10.0']


def test_bars_without_boxes_are_empty():
    assert ' width="0.0"' in bar_chart([('car', (0,))], ('truth',), title='t')


def test_a_whole_bar_may_stand_for_more_than_the_largest_value():
    widths = [float(re.search(r' width="([\d.]+)"', bar_chart(
        [('fog', (0.5,))], ('severity-1',), title='t', least=least)).group(1)) for least in (0, 1)]
    assert widths[1] == pytest.approx(widths[0] / 2, abs=0.1)
