"""The README's tables of the fusion benchmark: ratios, slopes and charts of known rows."""
import pytest

from gemini_lab.benchmark.fusers import OURS, PRODUCTS, REFERENCE, WHOLE
from gemini_lab.benchmark.fusion_tables import (chart_files, fusion_markdown, growth_slope, log_log_slope,
                                                predicted)
from gemini_lab.benchmark.rows import Row

# Name, seconds at 32,400 cells, power by which they grow.
CONTESTANTS = ((OURS, 1.0, 1), (REFERENCE, 2.5, 1), (PRODUCTS, 0.8, 1), (WHOLE, 1.0, 2))


def make_rows():
    """Returns rows of two sizes: ours linear, attention to the whole map quadratic."""
    rows = []
    for mode, factor in (('inference', 1.0), ('training step', 3.0)):
        for cells in (1000, 32400):
            for name, share, power in CONTESTANTS:
                if name == WHOLE and cells > 1000:
                    continue
                rows.append(Row(
                    name=name, device='cpu', dtype='float32', shape=f'{cells} x 128', mode=mode, spread=0.0,
                    median_s=factor * share * (cells / 32400) ** power, peak_bytes=int(1e6 * share), macs=10,
                    facts=dict(cells=cells, channels=128)))
    return rows


def test_the_sentence_compares_with_the_formula_and_the_products():
    text = fusion_markdown(make_rows())
    assert ('inference 2.5 times as fast as the official formula with 40% of its memory, 1.25 times the '
            'time of its matrix products alone') in text
    assert 'training step 2.5 times as fast' in text
    assert '](benchmark-fusion-128.svg)' in text


def test_slopes_are_those_of_the_rows_and_what_was_left_out_is_a_dash():
    rows = make_rows()
    assert round(growth_slope(rows, OURS, 'inference'), 6) == 1
    assert growth_slope(rows, WHOLE, 'inference') is None
    growth = next(line for line in fusion_markdown(rows).splitlines() if line.startswith(f'| {WHOLE} | 953'))
    assert growth.split('|')[3].strip() == '–'


def test_there_is_a_chart_for_each_number_of_channels():
    charts = chart_files(make_rows())
    assert list(charts) == ['benchmark-fusion-128.svg']
    for name in {row.name for row in make_rows()}:
        assert f'>{name}</text>' in charts['benchmark-fusion-128.svg']


@pytest.mark.parametrize('power', [0.5, 1.0, 2.0])
def test_the_slope_is_the_exponent_of_a_power_law(power):
    points = [(n, 3e-6 * n ** power) for n in (1024, 4096, 16384, 129600)]
    assert log_log_slope(points) == pytest.approx(power)


def test_one_size_has_no_slope():
    assert log_log_slope([(10, 1.0)]) is None and log_log_slope([(10, 1.0), (10, 2.0)]) is None


def test_growth_goes_on_as_it_was_at_the_end_and_is_never_taken_for_less_than_linear():
    # Four times the cells took sixteen times as long; twice as many will take four times as long.
    assert predicted([(100, 1.0), (400, 16.0)], 800) == pytest.approx(64.0)
    assert predicted([(100, 1.0), (400, 1.0)], 800) == pytest.approx(2.0)
    assert predicted([(100, 1.0)], 300) == pytest.approx(3.0)
    assert predicted([(100, 1.0)], 300, power=2.0) == pytest.approx(9.0)
    assert predicted([], 300) is None
