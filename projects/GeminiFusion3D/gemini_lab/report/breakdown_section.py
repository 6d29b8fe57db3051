"""The score taken apart: one table a question, the objects behind each number, AP of every class."""
from html import escape
from typing import Any, Dict, List, Mapping, Sequence

from ..analysis.breakdown_table import FEW_SCENES
from .html_table import Cell, Head, ap_cell, count_cell, figure_cell, figure_text, sortable_table
from .metric_files import TP_ERRORS
from .tables import ERROR_TITLES, class_title

TITLES = {'distance': 'By distance', 'motion': 'Moving or standing', 'visibility': 'By visibility',
          'LiDAR points': 'By number of LiDAR points', 'light': 'Day or night',
          'weather': 'Dry or rain', 'city': 'By city'}
LOWER_BOUND = ('A false positive cannot be told to belong to one of these parts and counts in all: the '
               'figures are lower bounds, to be compared between models and not between rows.')


def breakdown_tables(breakdown: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """Returns a table for each question but that of the whole.

    Args:
        breakdown: see `results.breakdown.breakdown`.
        class_names: columns of the tables of classes.
    """
    return ''.join(question_tables(question, class_names) for question in questions_of(breakdown))


def questions_of(breakdown: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    """Returns the questions that split the whole."""
    return [question for question in breakdown['questions'] if question['name'] != 'all']


def question_title(name: str) -> str:
    """Returns a question for people."""
    return TITLES.get(name, escape(name))


def question_tables(question: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """Returns the means of every bin, and the AP of every class to unfold."""
    title = question_title(question['name'])
    note = '' if question['false_positives_by_bin'] else f'<p class="note">{LOWER_BOUND}</p>'
    has_intervals = any('intervals' in entry for entry in question['bins'])
    spread = '95 % interval' if has_intervals else ''
    heads = [Head('part', title), Head('objects', 'evaluated ground-truth boxes'),
             Head('mAP', 'mean over the classes that the part has', spread),
             Head('NDS', 'of the classes that the part has', spread),
             *(Head('m' + ERROR_TITLES[error][0], *ERROR_TITLES[error][1:]) for error in TP_ERRORS)]
    rows = [(escape(entry['name']), bin_cells(entry)) for entry in question['bins']]
    return (f'<div class="question"><h3>{title}</h3>{note}'
            f'{sortable_table(title, heads, rows)}<details><summary>AP of every class</summary>'
            f'{classes_table(question, class_names)}</details></div>')


def bin_cells(entry: Mapping[str, Any]) -> List[Cell]:
    """Returns count, means and errors of one bin."""
    intervals: Dict[str, Any] = entry.get('intervals', {})
    return [count_cell(entry['n_annotations']),
            ap_cell(entry['mean_ap'], intervals.get('mean_ap')),
            ap_cell(entry['nd_score'], intervals.get('nd_score')),
            *(figure_cell(entry['errors'][error], intervals.get(error)) for error in TP_ERRORS)]


def classes_table(question: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """Returns AP of every class in every bin with the number of objects behind it."""
    heads = [Head('class'), *(Head(entry['name'], 'AP', 'AP (objects)') for entry in question['bins'])]
    rows = [(class_title(name), [class_cell(entry['classes'].get(name)) for entry in question['bins']])
            for name in class_names]
    return sortable_table(f'AP of every class, {question_title(question["name"])}', heads, rows)


def class_cell(row: Any) -> Cell:
    """Returns AP and the number of objects; a dash without objects."""
    if row is None:
        return Cell(figure_text(None))
    return Cell(figure_text(row['ap']), note=f'({row["n_annotations"]:,})')


def intervals_note(breakdown: Mapping[str, Any]) -> str:
    """Says what the intervals are and when they mean little."""
    if not breakdown['resamples']:
        return ''
    few = (f' {breakdown["n_scenes"]} scenes are too few for them to mean much.'
           if breakdown['n_scenes'] < FEW_SCENES else '')
    return (f'Intervals: the middle 95 % of {breakdown["resamples"]} bootstrap resamples of the '
            f'{breakdown["n_scenes"]} scenes; none where only one scene has the objects.{few}')
