"""Rows as JSON, text and Markdown; ratios between them."""
import json

import pytest

from gemini_lab.benchmark.rows import Row, find_row, mebibytes, ratio, rows_as_json, seconds, text_table

ROWS = [Row(name='ours', device='cpu', dtype='float32', shape='10 x 8', median_s=0.02, spread=0.001,
            peak_bytes=100, macs=1_500_000, facts=dict(cells=10)),
        Row(name='reference', device='cpu', dtype='float32', shape='10 x 8', median_s=0.05, spread=0.001,
            peak_bytes=400)]


def test_json_holds_the_promised_keys_and_the_machine():
    rows = json.loads(json.dumps(rows_as_json(ROWS, dict(cpu='2 x CPU'))))
    assert {'name', 'device', 'dtype', 'shape', 'median_s', 'spread', 'peak_bytes', 'macs'} <= set(rows[0])
    assert rows[0]['facts'] == {'cells': 10} and rows[1]['macs'] is None
    assert all(row['environment'] == {'cpu': '2 x CPU'} for row in rows)


def test_a_ratio_says_how_many_times_as_much_the_reference_takes():
    assert ratio(ROWS, 'ours', 'reference') == pytest.approx(2.5)
    assert ratio(ROWS, 'ours', 'reference', of='peak_bytes') == 4
    with pytest.raises(LookupError, match="one row 'theirs'"):
        find_row(ROWS, 'theirs')
    with pytest.raises(LookupError, match='found 2'):
        find_row([*ROWS, *ROWS], 'ours')


def test_the_text_has_aligned_columns():
    lines = text_table(ROWS).splitlines()
    assert len(lines) == 3
    assert lines[1].split() == ['ours', 'inference', '10', 'x', '8', 'float32', '20.0', 'ms', '1.00', 'ms',
                                '100', 'B', '1.5', 'M']
    assert lines[1].index('inference') == lines[2].index('inference')


@pytest.mark.parametrize('value, text', [
    (0.0123, '12.3 ms'), (1.5, '1.50 s'), (99.96, '100 s'), (4.56e-5, '45.6 µs'), (2e-9, '2.00 ns'),
    (0, '0 s')])
def test_times_have_three_digits(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize('count, text', [
    (0, '0'), (1023, '1023 B'), (1536, '1.50 KiB'), (35_861_299, '34.2 MiB'),
    (3 * 2 ** 30, '3.00 GiB')])
def test_sizes_have_three_digits(count, text):
    assert mebibytes(count) == text
