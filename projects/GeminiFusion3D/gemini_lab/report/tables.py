"""The report's figures as HTML: numbers as text, head figures, facts, the table of classes."""
import math
from html import escape
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from .bootstrap import Interval, Resampled, interval
from .html_table import (NOTHING, Cell, Head, Row, ap_cell, count_cell, figure_cell, figure_text, interval_text, sortable_table)
from .metric_files import TP_ERRORS, Metrics

ERROR_TITLES = {
    'trans_err': ('ATE', 'translation error', 'm'), 'scale_err': ('ASE', 'scale error', '1 − IoU'),
    'orient_err': ('AOE', 'orientation error', 'rad'), 'vel_err': ('AVE', 'velocity error', 'm/s'),
    'attr_err': ('AAE', 'attribute error', '1 − acc')}


def class_title(name: str) -> str:
    """Writes a class name for people."""
    return escape(name.replace('_', ' '))


def head_figures(metrics: Metrics, resampled: Optional[Resampled] = None) -> str:
    """Returns the cards on top: NDS and mAP large, the five mean errors beside them."""
    spread = mean_intervals(resampled)
    cards = [card('NDS', 'nuScenes detection score', figure_text(metrics.nds), spread['nds'], 'big'),
             card('mAP', 'mean average precision', figure_text(metrics.mean_ap), spread['mean_ap'],
                  'big')]
    for error in TP_ERRORS:
        short, long, unit = ERROR_TITLES[error]
        # A ratio has no unit, and its formula stands in the table's head.
        meaning = long if unit.startswith('1') else f'{long}, {unit}'
        cards.append(card(f'm{short}', meaning, figure_text(metrics.mean_errors[error]),
                          spread[error], ''))
    return f'<div class="cards">{"".join(cards)}</div>'


def mean_intervals(resampled: Optional[Resampled]) -> Dict[str, Interval]:
    """Returns the intervals of `nds`, `mean_ap` and each mean error; None without resamples."""
    if resampled is None:
        return dict.fromkeys(('nds', 'mean_ap', *TP_ERRORS))
    return {'nds': interval(resampled.nds), 'mean_ap': interval(resampled.mean_ap),
            **{error: interval(resampled.mean_errors[error]) for error in TP_ERRORS}}


def card(name: str, meaning: str, value: str, bounds: Interval, style: str) -> str:
    """Returns one figure with its name, interval and meaning."""
    text = interval_text(bounds)
    spread = f'<span class="spread">{text}</span>' if text else ''
    return (f'<div class="card {style}"><span class="name">{name}</span>'
            f'<span class="value">{value}</span>{spread}<span class="meaning">{meaning}</span></div>')


def facts_list(facts: Sequence[Tuple[str, str]]) -> str:
    """Returns name and value pairs as a definition list."""
    return '<dl class="facts">' + ''.join(
        f'<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for name, value in facts) + '</dl>'


def modality_text(flags: Mapping[str, bool]) -> str:
    """Says in words which of the submission's five `use_...` flags are set."""
    used = [name.removeprefix('use_') for name, is_used in flags.items() if is_used]
    known = {'lidar': 'LiDAR', 'external': 'external data'}
    return ' + '.join(known.get(name, name) for name in used) or NOTHING


def class_table(metrics: Metrics, class_names: Sequence[str], counts: Mapping[str, int],
                resampled: Optional[Resampled] = None) -> str:
    """Returns the sortable table: a row per class, the official means as the last row.

    Args:
        metrics: official figures.
        class_names: rows, in order.
        counts: evaluated ground-truth boxes per class.
        resampled: for the intervals of AP.
    """
    distances_m = sorted({m for by_m in metrics.class_ap_at_m.values() for m in by_m})
    heads = [Head('class', 'class'), Head('boxes', 'evaluated ground-truth boxes'),
             Head('AP', 'mean over the four match distances', '95 % interval' if resampled else '')]
    heads += [Head(f'AP {m:g} m', f'match within {m:g} m of the centre') for m in distances_m]
    heads += [Head(*ERROR_TITLES[error]) for error in TP_ERRORS]
    rows = [(class_title(name), class_cells(metrics, name, counts, distances_m, resampled))
            for name in class_names]
    means = [nan_mean([metrics.class_ap_at_m.get(name, {}).get(m, math.nan)
                       for name in class_names]) for m in distances_m]
    foot: Row = ('mean', [
        count_cell(sum(counts.values())),
        figure_cell(metrics.mean_ap, mean_intervals(resampled)['mean_ap']),
        *map(figure_cell, means), *(figure_cell(metrics.mean_errors[error]) for error in TP_ERRORS)])
    return sortable_table('Figures of each class', heads, rows, foot)


def class_cells(metrics: Metrics, name: str, counts: Mapping[str, int],
                distances_m: Sequence[float], resampled: Optional[Resampled]) -> List[Cell]:
    """Returns one class's cells; AP cells carry a bar as long as their value."""
    at_m = metrics.class_ap_at_m.get(name, {})
    errors = metrics.class_errors.get(name, {})
    has_interval = resampled is not None and name in resampled.class_ap and counts.get(name)
    bounds = interval(resampled.class_ap[name]) if has_interval else None
    return [count_cell(counts.get(name, 0)), ap_cell(metrics.class_ap.get(name), bounds),
            *(ap_cell(at_m.get(m)) for m in distances_m),
            *(figure_cell(errors.get(error)) for error in TP_ERRORS)]


def nan_mean(values: Sequence[float]) -> float:
    """Returns the mean of the values that exist, NaN if none does."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
