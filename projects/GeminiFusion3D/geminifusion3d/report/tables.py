"""The report's figures as HTML: numbers as text, head figures, facts, the table of classes."""
import math
from html import escape
from typing import Mapping, Optional, Sequence, Tuple

from .metric_files import TP_ERRORS, Metrics

NOTHING = '–'
ERROR_TITLES = {
    'trans_err': ('ATE', 'translation error', 'm'), 'scale_err': ('ASE', 'scale error', '1 − IoU'),
    'orient_err': ('AOE', 'orientation error', 'rad'), 'vel_err': ('AVE', 'velocity error', 'm/s'),
    'attr_err': ('AAE', 'attribute error', '1 − acc')}


def figure_text(value: Optional[float], digits: int = 3) -> str:
    """Writes a figure; one that does not exist (None, NaN, infinite) is a dash."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f'{value:.{digits}f}'


def class_title(name: str) -> str:
    """Writes a class name for people."""
    return escape(name.replace('_', ' '))


def head_figures(metrics: Metrics) -> str:
    """Returns the cards on top: NDS and mAP large, the five mean errors beside them."""
    cards = [card('NDS', 'nuScenes detection score', figure_text(metrics.nds), '', 'big'),
             card('mAP', 'mean average precision', figure_text(metrics.mean_ap), '', 'big')]
    for error in TP_ERRORS:
        short, long, unit = ERROR_TITLES[error]
        cards.append(card(f'm{short}', long, figure_text(metrics.mean_errors[error]), unit, ''))
    return f'<div class="cards">{"".join(cards)}</div>'


def card(name: str, meaning: str, value: str, unit: str, style: str) -> str:
    """Returns one figure with its name, meaning and unit."""
    # A ratio has no unit, and its formula stands in the table's head.
    shown = f'{meaning}, {unit}' if unit and not unit.startswith('1') else meaning
    return (f'<div class="card {style}"><span class="name">{name}</span>'
            f'<span class="value">{value}</span><span class="meaning">{shown}</span></div>')


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


def class_table(metrics: Metrics, class_names: Sequence[str], counts: Mapping[str, int]) -> str:
    """Returns the sortable table: a row per class, the official means as the last row.

    Args:
        metrics: official figures.
        class_names: rows, in order.
        counts: evaluated ground-truth boxes per class.
    """
    distances_m = sorted({m for by_m in metrics.class_ap_at_m.values() for m in by_m})
    heads = [('class', 'class', ''), ('boxes', 'evaluated ground-truth boxes', ''),
             ('AP', 'mean over the four match distances', '')]
    heads += [(f'AP {m:g} m', f'match within {m:g} m of the centre', '') for m in distances_m]
    heads += [ERROR_TITLES[error] for error in TP_ERRORS]
    head = ''.join(f'<th scope="col" title="{meaning}"><button type="button">{name}'
                   f'<small>{unit}</small></button></th>' for name, meaning, unit in heads)
    body = ''.join(class_row(metrics, name, counts, distances_m) for name in class_names)
    means = [nan_mean([metrics.class_ap_at_m.get(name, {}).get(m, math.nan)
                       for name in class_names]) for m in distances_m]
    foot = ''.join(f'<td>{figure_text(value)}</td>' for value in [
        metrics.mean_ap, *means, *(metrics.mean_errors[error] for error in TP_ERRORS)])
    return (f'<div class="scroll"><table class="sortable"><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody><tfoot><tr><th scope="row">mean</th>'
            f'<td>{sum(counts.values())}</td>{foot}</tr></tfoot></table></div>')


def class_row(metrics: Metrics, name: str, counts: Mapping[str, int],
              distances_m: Sequence[float]) -> str:
    """Returns one class; AP cells carry a bar as long as their value."""
    at_m = metrics.class_ap_at_m.get(name, {})
    errors = metrics.class_errors.get(name, {})
    aps = ''.join(ap_cell(value) for value in [metrics.class_ap.get(name),
                                               *(at_m.get(m) for m in distances_m)])
    tps = ''.join(f'<td>{figure_text(errors.get(error))}</td>' for error in TP_ERRORS)
    return (f'<tr><th scope="row">{class_title(name)}</th><td>{counts.get(name, 0)}</td>'
            f'{aps}{tps}</tr>')


def ap_cell(value: Optional[float]) -> str:
    """Returns an AP cell."""
    text = figure_text(value)
    width = 0.0 if text == NOTHING else 100 * min(max(float(value), 0.0), 1.0)
    return f'<td class="ap" style="--share:{width:.1f}%">{text}</td>'


def nan_mean(values: Sequence[float]) -> float:
    """Returns the mean of the values that exist, NaN if none does."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
