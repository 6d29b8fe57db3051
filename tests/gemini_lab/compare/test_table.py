"""Means, spreads and deltas against numbers worked out by hand; what table and plot show of them."""
import math
from xml.etree import ElementTree

import pytest

from gemini_lab.compare.table import Figure, markdown_table, processor_marks, summarise, svg_plot

LABELS = {'lidar': 'LiDAR only', 'camera': 'camera only', 'gemini': 'GeminiFusion'}


def result(variant, seed, mAP, **silent):
    """Returns what a run keeps."""
    scores = {name: dict(mAP=value, NDS=value / 2) for name, value in dict(all=mAP, **silent).items()}
    costs = [dict(stage='fuser', parameters=1000, multiply_adds=2_000_000)] if silent else []
    head = dict(stage='bbox_head', parameters=500_000, multiply_adds=1_230_000_000)
    return dict(variant=variant, seed=seed, scores=scores, step_s=0.1 + seed / 100, costs=[head, *costs],
                processor='A' if variant == 'lidar' else 'B')


RESULTS = [result('gemini', 1, 0.30, black=0.20, empty=0.00),
           result('gemini', 0, 0.20, black=0.16, empty=0.02),
           result('lidar', 0, 0.1)]


@pytest.fixture
def rows():
    """The two models with results, in the order of the models."""
    return summarise(RESULTS, LABELS)


def test_mean_and_spread_over_the_seeds(rows):
    lidar, gemini = rows
    assert (lidar.label, gemini.label) == ('LiDAR only', 'GeminiFusion')
    # (0.2 + 0.3) / 2; sqrt((0.05^2 + 0.05^2) / 1).
    assert gemini.mAP.mean == pytest.approx(0.25)
    assert gemini.mAP.spread == pytest.approx(math.sqrt(0.005))
    assert gemini.NDS.mean == pytest.approx(0.125)
    assert math.isnan(lidar.mAP.spread) and lidar.runs == (0.1,) and gemini.runs == (0.2, 0.3)


def test_deltas_belong_to_the_same_seed(rows):
    # -0.10 and -0.04; -0.30 and -0.18.
    gemini = rows[1]
    assert gemini.black_delta.mean == pytest.approx(-0.07)
    assert gemini.black_delta.spread == pytest.approx(math.sqrt(2 * 0.03 ** 2))
    assert gemini.empty_delta.mean == pytest.approx(-0.24)
    assert rows[0].black_delta is None


def test_costs_are_those_of_the_whole_model_and_of_the_fuser(rows):
    assert rows[1].parameters == 501_000 and rows[1].multiply_adds == 1_232_000_000
    assert rows[1].fuser_multiply_adds == 2_000_000 and rows[0].fuser_multiply_adds is None


def test_the_table_shows_them(rows):
    lines = markdown_table(rows).splitlines()
    assert len(lines) == 4 and len({line.count('|') for line in lines}) == 1
    assert lines[2] == '| LiDAR only | 1 | 0.100 | 0.050 | – | – | 500 k | 1.23 G | – | 100 ms (a) |'
    assert lines[3] == ('| GeminiFusion | 2 | 0.250 ± 0.071 | 0.125 ± 0.035 | -0.070 ± 0.042 | '
                        '-0.240 ± 0.085 | 501 k | 1.23 G | 2 M | 105 ms (b) |')


def test_times_of_different_processors_are_told_apart(rows):
    assert processor_marks(rows) == {'A': ' (a)', 'B': ' (b)'}
    assert processor_marks(rows[:1]) == {'A': ''}
    assert markdown_table(rows[:1]).endswith('| 100 ms |')


def test_figure_of_one_seed_has_no_spread_to_show():
    assert f'{Figure.of([0.5]):.2f}' == '0.50'
    assert f'{Figure.of([-0.5, -0.5]):+.1f}' == '-0.5 ± 0.0'


def test_the_plot_names_every_model_and_is_the_same_twice(rows):
    svg = svg_plot(rows)
    assert svg == svg_plot(rows) and 'nan' not in svg.lower()
    ElementTree.fromstring(svg)
    assert '>LiDAR only</text>' in svg and '>GeminiFusion</text>' in svg


def test_a_hostile_label_is_text_in_the_plot(rows):
    from dataclasses import replace
    svg = svg_plot([replace(rows[0], label='<script>$x$</script>')])
    ElementTree.fromstring(svg)
    assert '&lt;script&gt;$x$&lt;/script&gt;' in svg
