"""Breakdown tables: a row a part, the objects behind it, what has no objects."""
import re

from gemini_lab.report.breakdown_section import (breakdown_tables, class_cell, intervals_note, question_tables)


def cells_of(table, name):
    """Returns the texts of the row that starts with a name."""
    row = re.search(rf'<tr><th scope="row">{re.escape(name)}</th>(.*?)</tr>', table).group(1)
    return [re.sub('<[^>]+>', '', cell) for cell in re.findall(r'<td.*?</td>', row)]


def question(analysis, name):
    return next(entry for entry in analysis.breakdown['questions'] if entry['name'] == name)


def test_every_question_has_a_table_but_that_of_the_whole(analysis):
    tables = breakdown_tables(analysis.breakdown, ('car',))
    titles = re.findall(r'<h3>([^<]+)</h3>', tables)
    assert titles == ['By distance', 'Moving or standing', 'By visibility',
                      'By number of LiDAR points', 'Day or night', 'Dry or rain', 'By city']
    # Seven tables of means, seven of classes.
    assert tables.count('<table') == 14
    # Visibility and points cannot tell where a false positive belongs.
    assert tables.count('lower bounds') == 2


def test_a_part_shows_its_objects_and_one_without_them_dashes(analysis):
    table = question_tables(question(analysis, 'distance'), ('car',))
    # All eight objects are 8 and 10 m away.
    assert cells_of(table, '0-20 m')[0] == '8'
    assert cells_of(table, '30-40 m') == ['0'] + ['–'] * 7


def test_a_class_shows_the_objects_behind_its_ap():
    assert class_cell({'ap': 0.5, 'n_annotations': 1234}).html() == '<td>0.500 <small>(1,234)</small></td>'
    assert class_cell(None).html() == '<td>–</td>'


def test_few_scenes_are_said():
    note = intervals_note({'resamples': 7, 'n_scenes': 2})
    assert '7 bootstrap resamples of the 2 scenes' in note and 'too few' in note
    assert 'too few' not in intervals_note({'resamples': 7, 'n_scenes': 150})
    assert intervals_note({'resamples': 0, 'n_scenes': 2}) == ''
