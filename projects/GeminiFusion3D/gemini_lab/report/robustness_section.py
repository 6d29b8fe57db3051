"""What is left of the score when sensors are corrupted or silent: files of the robustness tools.

`robustness.json` comes from tools/test_robustness.py, `modalities.json` from tools/test.py.
"""
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from geminifusion3d.errors import UserError
from ..robustness.published import PUBLISHED
from ..robustness.suite import WARNING
from ..corruptions.catalogue import CORRUPTIONS
from .html_table import Cell, Head, ap_cell, difference_cell, figure_cell, sortable_table
from .metric_files import read_json
from .svg_chart import bar_chart

ROBUSTNESS_NAMES = ('robustness.json', 'robustness/robustness.json')
MODALITIES_NAMES = ('modalities.json', 'modalities/modalities.json')
METRICS = ('NDS', 'mAP')
CONDITIONS = {'clean': 'all sensors', 'lidar-empty': 'LiDAR empty'}


@dataclass(frozen=True)
class Robustness:
    """What the tools measured; None where there is no file.

    Attributes:
        suite: clean scores, scores by corruption and severity, resistance abilities.
        modalities: one row a condition with its scores and their differences to the clean ones.
    """

    suite: Optional[Mapping[str, Any]] = None
    modalities: Optional[Sequence[Mapping[str, Any]]] = None


def read_robustness(folder: Path, suite_file: Optional[Path] = None) -> Robustness:
    """Reads what lies in a folder of metrics.

    Args:
        folder: of the metrics.
        suite_file: robustness.json, if it lies elsewhere.

    Raises:
        UserError: if a file is broken, or the named one is not there.
    """
    suite = suite_file or first_file(folder, ROBUSTNESS_NAMES)
    modalities = first_file(folder, MODALITIES_NAMES)
    found = Robustness(suite=read_json(suite) if suite else None,
                       modalities=read_json(modalities) if modalities else None)
    try:
        robustness_content(found)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f'{suite or modalities} is not a file of the robustness tools (no or wrong '
                        f'field {error}); run tools/test_robustness.py again') from error
    return found


def first_file(folder: Path, names: Sequence[str]) -> Optional[Path]:
    """Returns the first of `names` in `folder` that exists."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def robustness_content(found: Robustness) -> str:
    """Returns chart and tables; empty without files."""
    parts = []
    if found.modalities is not None:
        parts.append(f'<h3>Where a modality matters</h3>{modalities_table(found.modalities)}')
    if found.suite is not None:
        parts.append(f'<h3>Corrupted sensors</h3>{suite_note(found.suite)}{suite_chart(found.suite)}'
                     f'{suite_table(found.suite)}{published_table(found.suite)}')
    return ''.join(parts)


def modalities_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the scores under each condition and their differences to the clean ones."""
    heads = [Head('sensors'), *(head for metric in METRICS for head in (
        Head(metric), Head(f'{metric} difference', 'to all sensors')))]
    return sortable_table('Scores with silent sensors', heads, [
        (corruption_title(row['condition']), [cell for metric in METRICS for cell in (
            ap_cell(row[metric]), difference_cell(row[f'{metric}_delta']))]) for row in rows])


def suite_note(suite: Mapping[str, Any]) -> str:
    """Says what the bars are and what is missing from a whole suite."""
    severities = [str(severity) for severity in suite['severities']]
    legend = ''.join(f'<span><i class="severity-{severity}"></i>severity {severity}</span>'
                     for severity in severities)
    means = ', '.join(f'{metric} {figure_cell(suite["resistance"][metric]["mRA"]).text}'
                      for metric in METRICS)
    partial = '' if suite['is_whole'] else ' Not the whole suite, so not the published mean.'
    untouched = ', '.join(map(corruption_title, suite['untouched']))
    unread = f' Sensors that the model does not read: {untouched}.' if untouched else ''
    return (f'<p class="note">NDS as a share of the clean {suite["clean"]["NDS"]:.3f}; the mean over '
            f'severities is the resistance ability (RA) as MultiCorrupt defines it. Mean over '
            f'corruptions (mRA): {means}.{partial}{unread} '
            f'<span class="legend">{legend}</span></p>')


def suite_chart(suite: Mapping[str, Any]) -> str:
    """Returns a group of bars per corruption: NDS at each severity as a share of the clean one."""
    clean = suite['clean']['NDS']
    rows = [(corruption_title(name), [suite['scores'][name][str(severity)]['NDS'] / clean
                                      if clean else 0.0 for severity in suite['severities']])
            for name in suite['corruptions']]
    return bar_chart(rows, [f'severity-{severity}' for severity in suite['severities']],
                     title='NDS kept under corruption', name_width=190, digits=2, least=1.0)


def suite_table(suite: Mapping[str, Any]) -> str:
    """Returns resistance abilities and scores at each severity; the means below."""
    heads = [Head('corruption'), *(Head(f'RA {metric}', 'mean share of the clean score')
                                   for metric in METRICS),
             *(Head(f'{metric} {severity}', f'at severity {severity}')
               for metric in METRICS for severity in suite['severities'])]
    rows = [(corruption_title(name), suite_cells(suite, name)) for name in suite['corruptions']]
    means = [figure_cell(suite['resistance'][metric]['mRA']) for metric in METRICS]
    clean = [figure_cell(suite['clean'][metric]) for metric in METRICS for _ in suite['severities']]
    return sortable_table('Scores under corruption', heads, rows, ('mRA, clean', [*means, *clean]))


def suite_cells(suite: Mapping[str, Any], name: str) -> List[Cell]:
    """Returns the cells of one corruption."""
    return [*(ap_cell(suite['resistance'][metric]['RA'][name]) for metric in METRICS),
            *(figure_cell(suite['scores'][name][str(severity)][metric])
              for metric in METRICS for severity in suite['severities'])]


def published_table(suite: Mapping[str, Any]) -> str:
    """Returns this model's resistance abilities above the published ones, to unfold."""
    own = suite['resistance']['NDS']
    mean = own['mRA'] if suite['is_whole'] else None
    heads = [Head('model'), Head('clean NDS'), Head('mRA'),
             *(Head(corruption.label) for corruption in CORRUPTIONS.values())]
    rows = [('<b>this model</b>', [figure_cell(suite['clean']['NDS']), ap_cell(mean),
                                   *(ap_cell(own['RA'].get(name)) for name in CORRUPTIONS)])]
    rows += [(escape(row.model), [figure_cell(row.clean_nds), ap_cell(row.mean),
                                  *(ap_cell(row.by_corruption[name]) for name in CORRUPTIONS)])
             for row in PUBLISHED]
    return ('<details><summary>Resistance ability (NDS) beside the published table of MultiCorrupt'
            f'</summary><p class="note">{escape(WARNING)}</p>'
            f'{sortable_table("Published resistance ability", heads, rows)}</details>')


def corruption_title(name: str) -> str:
    """Returns a corruption's or a condition's name for people."""
    if name in CORRUPTIONS:
        return escape(CORRUPTIONS[name].label)
    return escape(CONDITIONS.get(name, name.replace('-', ' ')))
