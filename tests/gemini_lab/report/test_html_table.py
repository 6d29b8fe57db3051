"""Tables: what a cell shows and sorts by, figures that do not exist, text that stays text."""
import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from gemini_lab.report.html_table import (Cell, Head, ap_cell, count_cell, difference_cell, difference_text, figure_cell, figure_text, interval_text, sortable_table)


@pytest.mark.parametrize('value, text', [
    (0.12345, '0.123'), (1, '1.000'), (math.nan, '–'), (None, '–'), (math.inf, '–')])
def test_a_figure_that_does_not_exist_is_a_dash(value, text):
    assert figure_text(value) == text


@pytest.mark.parametrize('value, text', [
    (0.1234, '+0.123'), (-0.5, '−0.500'), (0.0, '0.000'), (-0.0001, '0.000'), (math.nan, '–')])
def test_a_difference_has_its_sign(value, text):
    assert difference_text(value) == text


@pytest.mark.parametrize('bounds, text', [
    ((0.1, 0.25), '0.100–0.250'), ((-0.1, 0.25), '−0.100 to +0.250'), (None, ''), ((0.2, 0.2), '')])
def test_an_interval_is_short(bounds, text):
    assert interval_text(bounds) == text


def test_bars_of_ap_are_as_long_as_the_value():
    assert '--share:25.0%' in ap_cell(0.25).html()
    assert '--share:0.0%' in ap_cell(math.nan).html()


def test_a_cell_sorts_by_its_number_and_not_by_its_text():
    assert count_cell(12345).html() == '<td data-order="12345">12,345</td>'
    assert 'data-order="-0.5"' in difference_cell(-0.5).html()


def test_a_difference_is_an_improvement_or_not():
    assert difference_cell(0.1).style == 'better'
    assert difference_cell(0.1, lower_is_better=True).style == 'worse'
    assert difference_cell(-0.1, lower_is_better=True).style == 'better'
    assert difference_cell(0.0).style == ''


def test_a_table_is_well_formed_and_escapes_heads():
    table = ElementTree.fromstring(sortable_table(
        '"a" & b', [Head('<x>', 'a "meaning"', 'm'), Head('y')],
        [('row', [figure_cell(1.0, (0.5, 1.5))])], ('mean', [Cell('–')])))
    rows = [[''.join(cell.itertext()).strip() for cell in row] for row in table.iter('tr')]
    assert rows == [['<x>m', 'y'], ['row', '1.000 0.500–1.500'], ['mean', '–']]
    assert table.attrib['aria-label'] == '"a" & b'
    assert table.attrib['tabindex'] == '0'


def test_a_column_keeps_room_for_its_longest_note_in_every_row():
    table = sortable_table('t', [Head('a'), Head('b'), Head('c')], [
        ('x', [Cell('1', note='(12)'), Cell('2')]), ('y', [Cell('3'), Cell('4')])],
        ('z', [Cell('5'), Cell('6')]))
    assert re.findall(r'<td>(.*?)</td>', table) == [
        '1 <small style="min-width:4ch">(12)</small>', '2', '3 <small style="min-width:4ch"></small>', '4',
        '5 <small style="min-width:4ch"></small>', '6']
