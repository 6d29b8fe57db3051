"""Means, spreads and deltas against numbers worked out by hand; what table and plot show of them."""
import math
import re

import pytest

from gemini_lab.compare.plot import NAME_WIDTH, PLOT_WIDTH, svg_plot
from gemini_lab.compare.summary import Figure, summarise
from gemini_lab.compare.table import markdown_table, processor_marks
from gemini_lab.compare.variants import VARIANTS, choose
from geminifusion3d.errors import UserError


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
    return summarise(RESULTS, VARIANTS)


def test_mean_and_spread_over_the_seeds(rows):
    lidar, gemini = rows
    assert (lidar.label, gemini.label) == ('LiDAR only', 'GeminiFusion')
    # (0.2 + 0.3) / 2; sqrt((0.05^2 + 0.05^2) / 1).
    assert gemini.mAP.mean == pytest.approx(0.25)
    assert gemini.mAP.spread == pytest.approx(math.sqrt(0.005))
    assert gemini.NDS.mean == pytest.approx(0.125)
    assert math.isnan(lidar.mAP.spread) and lidar.seeds == 1 and gemini.seeds == 2


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


def test_the_plot_draws_bars_of_the_mean_and_a_dot_a_run(rows):
    svg = svg_plot(rows, {'LiDAR only': [0.1], 'GeminiFusion': [0.2, 0.3]})
    widths = [float(width) for width in re.findall(r'class="bar".*?width="([\d.]+)"', svg)]
    # The axis ends one step above the greatest value, 0.35.
    assert widths == pytest.approx([0.1 / 0.35 * PLOT_WIDTH, 0.25 / 0.35 * PLOT_WIDTH], abs=0.1)
    dots = [float(x) for x in re.findall(r'class="run" cx="([\d.]+)"', svg)]
    assert dots[1:] == pytest.approx([NAME_WIDTH + share / 0.35 * PLOT_WIDTH for share in (0.2, 0.3)],
                                     abs=0.1)
    assert svg.count('class="spread"') == 1 and 'nan' not in svg


def test_models_are_chosen_by_name():
    assert [variant.name for variant in choose(['gemini', 'lidar'])] == ['lidar', 'gemini']
    assert choose(['full-attention'])[0].is_costly
    assert choose([]) == [variant for variant in VARIANTS if variant.name != 'full-attention']
    with pytest.raises(UserError, match='called nothing; expected some of lidar, camera'):
        choose(['nothing'])
