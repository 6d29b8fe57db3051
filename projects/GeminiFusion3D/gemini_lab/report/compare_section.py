"""Two models side by side: figures, parts, and what one found and the other missed."""
from html import escape
from typing import Any, Callable, List, Mapping, Optional, Sequence

from .breakdown_section import question_title
from .html_table import (Cell, Head, Row, ap_cell, count_cell, difference_cell, figure_cell, sortable_table)
from .metric_files import TP_ERRORS, Metrics
from .tables import ERROR_TITLES, class_title
from .two_models import TwoModels, alone_found, bin_pairs, difference_intervals

OUTCOMES = ('both', 'only_a', 'only_b', 'neither')
# More rows than somebody reads only make the page large.
MOST_OBJECTS = 20

# Sample token -> HTML that says which sample it is.
SampleName = Callable[[str], str]


def compare_content(models: TwoModels, class_names: Sequence[str], name_sample: SampleName) -> str:
    """Returns all tables of the comparison.

    Args:
        models: what to compare.
        class_names: rows, in order.
        name_sample: writes a sample.
    """
    return ''.join((
        f'<div class="halves"><div><h3>Figures</h3>{figures_table(models)}</div>'
        f'<div><h3>Objects by distance</h3>{distances_table(models)}</div></div>',
        f'<h3>Classes</h3>{classes_table(models, class_names)}',
        f'<h3>Parts of the split</h3>{parts_table(models)}',
        '<div class="halves">', *(
            f'<div><h3>Found by {escape(models.names[index])} alone</h3>'
            f'{objects_table(alone_found(models, outcome), name_sample)}</div>'
            for index, outcome in enumerate(('only_a', 'only_b'))), '</div>'))


def pair_heads(models: TwoModels, figure: str) -> List[Head]:
    """Returns the heads of one figure of both models and its difference."""
    return [Head(figure, models.names[0], 'this'), Head(figure, models.names[1], 'other'),
            Head('difference', f'{figure}: this minus the other')]


def pair_cells(this: Optional[float], other: Optional[float], bounds: Any = None) -> List[Cell]:
    """Returns a score of both models and its difference."""
    missing = this is None or other is None
    return [ap_cell(this), ap_cell(other), difference_cell(None if missing else this - other, bounds)]


def figures_table(models: TwoModels) -> str:
    """Returns the official means of both."""
    spread = difference_intervals(models)
    this, other = models.metrics
    heads = [Head('figure'), *pair_heads(models, 'value')]
    rows: List[Row] = [
        ('NDS', pair_cells(this.nds, other.nds, spread.get('nds'))),
        ('mAP', pair_cells(this.mean_ap, other.mean_ap, spread.get('mean_ap')))]
    rows += [(error_title(error), error_cells(this, other, error, spread.get(error)))
             for error in TP_ERRORS]
    return sortable_table('Official figures of both models', heads, rows)


def error_title(error: str) -> str:
    """Returns the short name of a mean error with its long one."""
    short, long, _ = ERROR_TITLES[error]
    return f'm{short} <small>{long}</small>'


def error_cells(this: Metrics, other: Metrics, error: str, bounds: Any) -> List[Cell]:
    """Returns a mean error of both models; less is better."""
    values = [metrics.mean_errors[error] for metrics in (this, other)]
    return [*map(figure_cell, values),
            difference_cell(values[0] - values[1], bounds, lower_is_better=True)]


def outcome_heads(models: TwoModels) -> List[Head]:
    """Returns the heads of the counts of found objects."""
    this, other = models.names
    return [Head('objects', 'evaluated ground-truth boxes'), Head('both', 'found by both'),
            Head('only this', f'found by {this} alone'), Head('only other', f'found by {other} alone'),
            Head('neither', 'found by neither')]


def outcome_cells(row: Mapping[str, Any]) -> List[Cell]:
    """Returns the counts of found objects."""
    return [count_cell(row['objects']), *(count_cell(row[outcome]) for outcome in OUTCOMES)]


def distances_table(models: TwoModels) -> str:
    """Returns what was found at which distance."""
    return sortable_table('Found objects by distance', [Head('distance'), *outcome_heads(models)], [
        (escape(name), outcome_cells(row)) for name, row in models.objects['distances'].items()])


def classes_table(models: TwoModels, class_names: Sequence[str]) -> str:
    """Returns AP of every class, what was found, and what was found that is not there."""
    spread = difference_intervals(models)
    this, other = models.metrics
    heads = [Head('class'), *pair_heads(models, 'AP'), *outcome_heads(models),
             Head('false', 'false positives', 'this'), Head('false', 'false positives', 'other')]
    rows = []
    for name in class_names:
        found = models.objects['classes'][name]
        rows.append((class_title(name), [
            *pair_cells(this.class_ap.get(name), other.class_ap.get(name),
                        spread.get(f'class:{name}') if found['objects'] else None),
            *outcome_cells(found), *(count_cell(found[f'false_positives_{side}']) for side in 'ab')]))
    return sortable_table('Classes of both models', heads, rows)


def parts_table(models: TwoModels) -> str:
    """Returns mAP and NDS of both in every part of the split."""
    heads = [Head('part'), Head('objects', 'evaluated ground-truth boxes'),
             *pair_heads(models, 'mAP'), *pair_heads(models, 'NDS')]
    return sortable_table('Parts of the split, both models', heads, [
        (f'<small>{question_title(question)}</small> {escape(this["name"])}',
         [count_cell(this['n_annotations']), *pair_cells(this['mean_ap'], other['mean_ap']),
          *pair_cells(this['nd_score'], other['nd_score'])])
        for question, this, other in bin_pairs(models)])


def objects_table(rows: Sequence[Mapping[str, Any]], name_sample: SampleName) -> str:
    """Returns the surest finds of one model that the other missed."""
    if not rows:
        return '<p class="note">None.</p>'
    heads = [Head('class'), Head('score'), Head('away', 'distance from the ego vehicle', 'm'),
             Head('points', 'LiDAR points in the box'), Head('visible', 'visibility in the cameras'),
             Head('sample')]
    shown = sortable_table('Objects that one model alone found', heads, [
        (class_title(row['class']), [
            figure_cell(row['score']), Cell(f'{row["distance_m"]:.0f}', order=row['distance_m']),
            count_cell(row['n_lidar_points']), Cell(escape(row['visibility'])),
            Cell(name_sample(row['sample_token']))]) for row in rows[:MOST_OBJECTS]])
    hidden = len(rows) - MOST_OBJECTS
    return shown + (f'<p class="note">And {hidden:,} more with lower scores.</p>' if hidden > 0 else '')
