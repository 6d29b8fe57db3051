"""A breakdown as text for the terminal."""
from typing import Any, Dict, List, Optional

from nuscenes.eval.detection.constants import TP_METRICS

from geminifusion3d.results.devkit_eval import ERROR_NAMES

FEW_SCENES = 10


def format_breakdown(result: Dict[str, Any]) -> str:
    """Returns one line a bin: objects, mAP, NDS, errors and, where there are any, intervals.

    Args:
        result: what `breakdown` returned.
    """
    columns = ['objects', 'mAP', 'NDS', *(ERROR_NAMES[name] for name in TP_METRICS)]
    lines = [f'{"":<26}' + ''.join(f'{column:>9}' for column in columns)]
    for question in result['questions']:
        lines.append(question['name'] + ('' if question['false_positives_by_bin'] else ' *'))
        lines += [_row(entry) for entry in question['bins']]
    return '\n'.join(lines + _notes(result))


def _row(entry: Dict[str, Any]) -> str:
    values = [entry['mean_ap'], entry['nd_score'], *(entry['errors'][name] for name in TP_METRICS)]
    row = f'  {entry["name"]:<24}{entry["n_annotations"]:>9}' + ''.join(map(_cell, values))
    intervals = entry.get('intervals', {})
    return row + ''.join(f'   {title} in [{intervals[key][0]:.3f}, {intervals[key][1]:.3f}]'
                         for key, title in (('mean_ap', 'mAP'), ('nd_score', 'NDS')) if intervals.get(key))


def _cell(value: Optional[float]) -> str:
    return '        -' if value is None else f'{value:9.3f}'


def _notes(result: Dict[str, Any]) -> List[str]:
    notes = ['', 'Means are over the classes that a bin has; a class without objects is not counted as 0.',
             '* no false positive can be told to belong to one bin, so each counts in all: lower bounds.']
    if result['resamples']:
        notes.append(f'Intervals: middle 95 % of {result["resamples"]} resamples of '
                     f'{result["n_scenes"]} scenes.')
        if result['n_scenes'] < FEW_SCENES:
            notes.append(f'{result["n_scenes"]} scenes are too few for intervals to mean much.')
    return notes
