"""The report's figures as tables: rows of cells that `template/report.html` writes, numbers as words."""
import math
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..analysis.breakdown import Interval, interval
from ..text_table import NOTHING
from .analysis import Resampled, TwoModels, alone_found, bin_pairs, difference_intervals
from .metric_files import TP_ERRORS, Metrics
from .verdicts import SampleErrors

MINUS = '−'
# Scenes that are alike, or only one of them, give an interval without width, up to rounding.
NO_SPREAD = 1e-9
ERROR_TITLES = {
    'trans_err': ('ATE', 'translation error', 'm'), 'scale_err': ('ASE', 'scale error', '1 − IoU'),
    'orient_err': ('AOE', 'orientation error', 'rad'), 'vel_err': ('AVE', 'velocity error', 'm/s'),
    'attr_err': ('AAE', 'attribute error', '1 − acc')}
PART_TITLES = {'distance': 'distance', 'motion': 'motion', 'visibility': 'visibility *',
               'LiDAR points': 'LiDAR points *'}
OUTCOMES = ('both', 'only_a', 'only_b', 'neither')
METRICS = ('NDS', 'mAP')
CONDITIONS = {'clean': 'all sensors', 'lidar-empty': 'LiDAR empty'}
# More rows than somebody reads only make the page large.
MOST_OBJECTS, MOST_SAMPLES = 20, 15


class Head(NamedTuple):
    """A column: its name, what it means and a small second line."""

    name: str
    meaning: str = ''
    unit: str = ''


class Cell(NamedTuple):
    """One cell.

    Attributes:
        text: what it says.
        note: small text below it.
        order: the number to sort by; None if the text says it.
        style: CSS classes.
        share: length of the bar below the text, 0 to 1.
        token: a sample, to which the text leads where its pictures are on the page.
    """

    text: str
    note: str = ''
    order: Optional[float] = None
    style: str = ''
    share: Optional[float] = None
    token: str = ''


# The first cell names the row.
Row = Sequence[Cell]


class Table(NamedTuple):
    """A table whose rows can be sorted within their group.

    Attributes:
        label: read by screen readers.
        heads: one per column, that of the row names first.
        groups: title and rows; one group without title for a plain table.
        foot: a last row that stays below.
    """

    label: str
    heads: Sequence[Head]
    groups: Sequence[Tuple[str, Sequence[Row]]]
    foot: Optional[Row] = None


def figure_text(value: Optional[float], digits: int = 3) -> str:
    """Writes a figure; one that does not exist (None, NaN, infinite) is a dash."""
    return NOTHING if value is None or not math.isfinite(value) else f'{value:.{digits}f}'


def interval_text(bounds: Optional[Sequence[float]]) -> str:
    """Writes an interval as 0.12–0.34; nothing where there is none or one scene leaves no spread."""
    if bounds is None or bounds[1] - bounds[0] < NO_SPREAD:
        return ''
    low, high = bounds
    middle = f' to {difference_text(high)}' if low < 0 else f'–{high:.3f}'
    return (difference_text(low) if low < 0 else f'{low:.3f}') + middle


def difference_text(value: Optional[float]) -> str:
    """Writes a difference with its sign."""
    text = figure_text(value)
    if text == NOTHING:
        return text
    return ('' if float(text) == 0 else '+' if float(text) > 0 else MINUS) + text.lstrip('-')


def figure(value: Optional[float], bounds: Optional[Sequence[float]] = None) -> Cell:
    """Returns a figure with its interval."""
    return Cell(figure_text(value), interval_text(bounds))


def score(value: Optional[float], bounds: Optional[Sequence[float]] = None) -> Cell:
    """Returns a score between 0 and 1 with a bar as long as it."""
    text = figure_text(value)
    share = 0.0 if text == NOTHING else min(max(float(text), 0.0), 1.0)
    return Cell(text, interval_text(bounds), share=share)


def count(number: int) -> Cell:
    """Returns a number of things."""
    return Cell(f'{number:,}', order=number)


def difference(value: Optional[float], bounds: Optional[Sequence[float]] = None, *,
               lower_is_better: bool = False) -> Cell:
    """Returns a difference, coloured by whether it is an improvement."""
    text = difference_text(value)
    if value is None or text == NOTHING:
        return Cell(text)
    gain = -value if lower_is_better else value
    return Cell(text, interval_text(bounds), value, '' if value == 0 else 'better' if gain > 0 else 'worse')


def class_title(name: str) -> str:
    """Writes a class name for people."""
    return name.replace('_', ' ')


def mean_intervals(resampled: Optional[Resampled]) -> Dict[str, Interval]:
    """Returns the intervals of `nds`, `mean_ap` and each mean error; None without resamples."""
    if resampled is None:
        return dict.fromkeys(('nds', 'mean_ap', *TP_ERRORS))
    return {'nds': interval(resampled.nds), 'mean_ap': interval(resampled.mean_ap),
            **{error: interval(resampled.mean_errors[error]) for error in TP_ERRORS}}


def tiles(metrics: Metrics, resampled: Optional[Resampled]) -> List[Dict[str, str]]:
    """Returns the figures at the top of the page: NDS, mAP, the five mean errors."""
    spread = mean_intervals(resampled)
    rows = [('NDS', 'nuScenes detection score', metrics.nds, 'nds'),
            ('mAP', 'mean average precision', metrics.mean_ap, 'mean_ap')]
    for error in TP_ERRORS:
        short, long, unit = ERROR_TITLES[error]
        # A ratio has no unit, and its formula stands in the table's head.
        rows.append((f'm{short}', long if unit.startswith('1') else f'{long}, {unit}',
                     metrics.mean_errors[error], error))
    return [dict(name=name, meaning=meaning, value=figure_text(value), spread=interval_text(spread[key]))
            for name, meaning, value, key in rows]


def class_table(metrics: Metrics, class_names: Sequence[str], truth: Mapping[str, int],
                predicted: Mapping[str, int], resampled: Optional[Resampled] = None) -> Table:
    """Returns a row per class, the official means as the last row."""
    distances_m = sorted({m for by_m in metrics.class_ap_at_m.values() for m in by_m})
    heads = [Head('class'), Head('boxes', 'evaluated ground-truth boxes'),
             Head('predicted', 'predictions from the score of the slider at first'),
             Head('AP', 'mean over the four match distances', '95 % interval' if resampled else ''),
             *(Head(f'AP {m:g} m', f'match within {m:g} m of the centre') for m in distances_m),
             *(Head(*ERROR_TITLES[error]) for error in TP_ERRORS)]
    rows: List[Row] = []
    for name in class_names:
        at_m, errors = metrics.class_ap_at_m.get(name, {}), metrics.class_errors.get(name, {})
        has_interval = resampled is not None and name in resampled.class_ap and truth.get(name)
        bounds = interval(resampled.class_ap[name]) if resampled is not None and has_interval else None
        rows.append([Cell(class_title(name)), count(truth.get(name, 0)), count(predicted.get(name, 0)),
                     score(metrics.class_ap.get(name), bounds), *(score(at_m.get(m)) for m in distances_m),
                     *(figure(errors.get(error)) for error in TP_ERRORS)])
    means = [_mean([metrics.class_ap_at_m.get(name, {}).get(m, math.nan) for name in class_names])
             for m in distances_m]
    foot = [Cell('mean'), count(sum(truth.values())), count(sum(predicted.values())),
            figure(metrics.mean_ap, mean_intervals(resampled)['mean_ap']), *map(figure, means),
            *(figure(metrics.mean_errors[error]) for error in TP_ERRORS)]
    return Table('Figures of each class', heads, [('', rows)], foot)


def _mean(values: Sequence[float]) -> float:
    """Returns the mean of the values that exist, NaN if none does."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def parts_of(breakdown: Mapping[str, Any]) -> List[Tuple[str, List[Mapping[str, Any]]]]:
    """Returns title and parts with objects of the questions that split the whole into at least two parts."""
    questions = [(PART_TITLES.get(question['name'], question['name']),
                  [entry for entry in question['bins'] if entry['n_annotations']])
                 for question in breakdown['questions'] if question['name'] != 'all']
    return [(title, bins) for title, bins in questions if len(bins) > 1]


def breakdown_tables(breakdown: Mapping[str, Any], class_names: Sequence[str]) -> Tuple[Table, Table]:
    """Returns the means of every part, and the AP of every class in it."""
    spread = '95 % interval' if breakdown['resamples'] else ''
    heads = [Head('part'), Head('objects', 'evaluated ground-truth boxes'),
             Head('mAP', 'mean over the classes that the part has', spread),
             Head('NDS', 'of the classes that the part has', spread),
             *(Head('m' + ERROR_TITLES[error][0], *ERROR_TITLES[error][1:]) for error in TP_ERRORS)]
    groups, classes = [], []
    for title, bins in parts_of(breakdown):
        groups.append((title, [[
            Cell(entry['name']), count(entry['n_annotations']),
            score(entry['mean_ap'], entry.get('intervals', {}).get('mean_ap')),
            score(entry['nd_score'], entry.get('intervals', {}).get('nd_score')),
            *(figure(entry['errors'][error], entry.get('intervals', {}).get(error)) for error in TP_ERRORS)]
            for entry in bins]))
        classes.append((title, [[Cell(entry['name']), *(
            _class_cell(entry['classes'].get(name)) for name in class_names)] for entry in bins]))
    class_heads = [Head('part'), *(Head(class_title(name), 'AP, objects') for name in class_names)]
    return (Table('Parts of the split', heads, groups),
            Table('AP of every class in parts of the split', class_heads, classes))


def _class_cell(row: Optional[Mapping[str, Any]]) -> Cell:
    return Cell(NOTHING) if row is None else Cell(figure_text(row['ap']), f'({row["n_annotations"]:,})')


def _pair_heads(models: TwoModels, figure_name: str) -> List[Head]:
    return [Head(figure_name, models.names[0], 'this'), Head(figure_name, models.names[1], 'other'),
            Head('difference', f'{figure_name}: this minus the other')]


def _pair(this: Optional[float], other: Optional[float], bounds: Any = None) -> List[Cell]:
    missing = this is None or other is None
    return [score(this), score(other), difference(None if missing else this - other, bounds)]


def model_tables(models: TwoModels, class_names: Sequence[str]) -> Dict[str, Table]:
    """Returns the tables of two models side by side, by title."""
    spread, (this, other) = difference_intervals(models), models.metrics
    figures: List[Row] = [[Cell('NDS'), *_pair(this.nds, other.nds, spread.get('nds'))],
                          [Cell('mAP'), *_pair(this.mean_ap, other.mean_ap, spread.get('mean_ap'))]]
    for error in TP_ERRORS:
        values = [metrics.mean_errors[error] for metrics in models.metrics]
        figures.append([Cell('m' + ERROR_TITLES[error][0], ERROR_TITLES[error][1]), *map(figure, values),
                        difference(values[0] - values[1], spread.get(error), lower_is_better=True)])
    found = [Head('objects', 'evaluated ground-truth boxes'), Head('both', 'found by both'),
             Head('only this', f'found by {models.names[0]} alone'),
             Head('only other', f'found by {models.names[1]} alone'), Head('neither', 'found by neither')]
    distances = [[Cell(name), *_outcomes(row)] for name, row in models.objects['distances'].items()]
    classes: List[Row] = []
    for name in class_names:
        row = models.objects['classes'][name]
        bounds = spread.get(f'class:{name}') if row['objects'] else None
        pair = _pair(this.class_ap.get(name), other.class_ap.get(name), bounds)
        classes.append([Cell(class_title(name)), *pair,
                        *_outcomes(row), *(count(row[f'false_positives_{side}']) for side in 'ab')])
    parts: Dict[str, List[Row]] = {}
    for question, here, there in bin_pairs(models):
        if here['n_annotations']:
            parts.setdefault(PART_TITLES.get(question, question), []).append([
                Cell(here['name']), count(here['n_annotations']), *_pair(here['mean_ap'], there['mean_ap']),
                *_pair(here['nd_score'], there['nd_score'])])
    false = [Head('false', 'false positives', side) for side in ('this', 'other')]
    tables = {
        'Figures': Table('Official figures of both models', [Head('figure'), *_pair_heads(models, 'value')],
                         [('', figures)]),
        'Objects by distance': Table('Found objects by distance', [Head('distance'), *found],
                                     [('', distances)]),
        'Classes': Table('Classes of both models', [
            Head('class'), *_pair_heads(models, 'AP'), *found, *false], [('', classes)]),
        'Parts of the split': Table(
            'Parts of the split, both models', [Head('part'), Head('objects', 'evaluated ground-truth boxes'),
                                                *_pair_heads(models, 'mAP'), *_pair_heads(models, 'NDS')],
            [(title, rows) for title, rows in parts.items() if len(rows) > 1])}
    for name, outcome in zip(models.names, ('only_a', 'only_b')):
        rows = alone_found(models, outcome)
        if rows:
            shown = '' if len(rows) <= MOST_OBJECTS else f', the surest {MOST_OBJECTS} of {len(rows):,}'
            tables[f'Found by {name} alone{shown}'] = _objects_table(rows[:MOST_OBJECTS])
    return tables


def _outcomes(row: Mapping[str, Any]) -> List[Cell]:
    return [count(row['objects']), *(count(row[outcome]) for outcome in OUTCOMES)]


def _objects_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Returns finds of one model that the other missed."""
    heads = [Head('class'), Head('score'), Head('away', 'distance from the ego vehicle', 'm'),
             Head('points', 'LiDAR points in the box'), Head('visible', 'visibility in the cameras'),
             Head('sample')]
    return Table('Objects that one model alone found', heads, [('', [[
        Cell(class_title(row['class'])), figure(row['score']),
        Cell(f'{row["distance_m"]:.0f}', order=row['distance_m']), count(row['n_lidar_points']),
        Cell(row['visibility']), Cell('', token=row['sample_token'])] for row in rows])])


def worst_table(errors: Sequence[SampleErrors]) -> Table:
    """Returns the samples with most errors, worst first."""
    heads = [Head('sample'), Head('objects', 'evaluated ground-truth boxes'), Head('missed'),
             Head('false', 'false positives', 'predictions'), Head('token')]
    return Table('Samples with most errors', heads, [('', [[
        Cell('', token=entry.token), count(entry.objects), count(entry.missed), count(entry.false_positives),
        Cell(entry.token, style='code')] for entry in errors[:MOST_SAMPLES]])])


def modalities_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Returns the scores with silent sensors and their differences to the clean ones."""
    heads = [Head('sensors'), *(head for metric in METRICS for head in (
        Head(metric), Head(f'{metric} difference', 'to all sensors')))]
    return Table('Scores with silent sensors', heads, [('', [[
        Cell(condition_title(row['condition'])), *(cell for metric in METRICS for cell in (
            score(row[metric]), difference(row[f'{metric}_delta'])))] for row in rows])])


def suite_tables(suite: Mapping[str, Any]) -> Tuple[Table, Table]:
    """Returns the scores under corruption, and this model's resistance above the published ones."""
    # The catalogue imports what corrupts images and clouds: seconds that a page without a suite saves.
    from ..corruptions.catalogue import CORRUPTIONS
    from ..robustness.published import PUBLISHED
    levels, resistance = suite['severities'], suite['resistance']
    heads = [Head('corruption'),
             *(Head(f'RA {metric}', 'mean share of the clean score') for metric in METRICS),
             *(Head(f'{metric} {level}', f'at severity {level}') for metric in METRICS for level in levels)]
    rows = [[Cell(condition_title(name)), *(score(resistance[metric]['RA'][name]) for metric in METRICS),
             *(figure(suite['scores'][name][str(level)][metric]) for metric in METRICS for level in levels)]
            for name in suite['corruptions']]
    foot = [Cell('mRA, clean'), *(figure(resistance[metric]['mRA']) for metric in METRICS),
            *(figure(suite['clean'][metric]) for metric in METRICS for _ in levels)]
    own = resistance['NDS']
    published = [[Cell('this model', style='strong'), figure(suite['clean']['NDS']),
                  score(own['mRA'] if suite['is_whole'] else None),
                  *(score(own['RA'].get(name)) for name in CORRUPTIONS)]]
    published += [[Cell(row.model), figure(row.clean_nds), score(row.mean),
                   *(score(row.by_corruption[name]) for name in CORRUPTIONS)] for row in PUBLISHED]
    return (Table('Scores under corruption', heads, [('', rows)], foot),
            Table('Published resistance ability', [
                Head('model'), Head('clean NDS'), Head('mRA'),
                *(Head(corruption.label) for corruption in CORRUPTIONS.values())], [('', published)]))


def condition_title(name: str) -> str:
    """Returns a corruption's or a condition's name for people."""
    if name in CONDITIONS or '-' in name:
        return CONDITIONS.get(name, name.replace('-', ' '))
    from ..corruptions.catalogue import CATALOGUE
    return CATALOGUE[name].label
