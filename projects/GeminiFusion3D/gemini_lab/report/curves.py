"""The page's charts: precision and errors over recall of each class with matches, training."""
import math
from typing import Dict, List, NamedTuple, Sequence, Tuple

from markupsafe import Markup

from ..charts import COLOURS, Points, line_chart
from .metric_files import TP_ERRORS, Metrics
from .tables import ERROR_TITLES, class_title, figure_text
from .training_log import Series, TrainingLog

# More points than a screen has pixels only make the file larger.
MAX_POINTS = 400
# Of the devkit: below it recall and precision do not count; where the errors are taken.
MIN_RECALL = MIN_PRECISION = 0.1
MATCH_DISTANCE_M = 2.0
DISTANCE_COLOURS = ('#a9c2ff', '#6d95fb', '#2f62e6', '#8250df')
# An orientation or a velocity far off must not press the other curves flat.
HIGHEST_TOP = 2.0
WIDE_IN = (6.4, 2.7)


class Chart(NamedTuple):
    """A chart with its title and a figure beside it."""

    title: str
    figure: str
    svg: Markup


def legend(names: Sequence[str], colours: Sequence[str] = COLOURS) -> List[Tuple[str, str]]:
    """Returns names with their colours."""
    return [(name, colours[index % len(colours)]) for index, name in enumerate(names)]


def error_names() -> List[str]:
    """Returns name and unit of the five errors."""
    return [f'{ERROR_TITLES[error][1]} ({ERROR_TITLES[error][2]})' for error in TP_ERRORS]


def precision_charts(metrics: Metrics, class_names: Sequence[str]) -> List[Chart]:
    """Returns a chart per class that has matches, with a curve per match distance."""
    charts = []
    for name in class_names:
        lines = {f'{distance_m:g} m': list(zip(curve.recall.tolist(), curve.precision.tolist()))
                 for distance_m, curve in sorted(metrics.curves.get(name, {}).items())}
        if any(lines.values()):
            svg = line_chart(lines, x_label='recall', y_label='precision', colours=DISTANCE_COLOURS,
                             title=f'precision over recall of {name}',
                             ignored_below=(MIN_RECALL, MIN_PRECISION))
            charts.append(Chart(class_title(name), f'AP {figure_text(metrics.class_ap.get(name))}',
                                inline(svg)))
    return charts


def error_charts(metrics: Metrics, class_names: Sequence[str]) -> List[Chart]:
    """Returns a chart per class that has matches, with a curve per error that is defined for it."""
    charts = []
    for name in class_names:
        curve = metrics.curves.get(name, {}).get(MATCH_DISTANCE_M)
        official = metrics.class_errors.get(name, {})
        if curve is None or not len(curve.recall):
            continue
        lines: Dict[str, Points] = {
            error: list(zip(curve.recall.tolist(), curve.errors[error].tolist()))
            for error in TP_ERRORS if error in curve.errors and math.isfinite(official.get(error, math.nan))}
        highest = max((y for points in lines.values() for _, y in points), default=1.0)
        top = 1.0 if highest <= 1.0 else HIGHEST_TOP
        svg = line_chart(lines, x_label='recall', y_label='error', y_range=(0, top),
                         title=f'true-positive errors over recall of {name}', ignored_below=(MIN_RECALL, 0),
                         colours=[COLOURS[TP_ERRORS.index(error)] for error in lines])
        charts.append(Chart(class_title(name), f'up to {highest:.1f}' if highest > top else '', inline(svg)))
    return charts


def training_charts(log: TrainingLog) -> List[Chart]:
    """Returns the loss, its parts, the learning rate, and mAP and NDS if logged."""
    parts = {name: smoothed(series) for name, series in sorted(log.losses.items()) if name != 'loss'}
    groups: List[Tuple[str, str, str, Dict[str, Series]]] = []
    if 'loss' in log.losses:
        loss = log.losses['loss']
        groups.append(('Loss', 'iteration', 'loss', {'as logged': loss, 'smoothed': smoothed(loss)}))
    groups += [('Validation during training', 'evaluated after', 'mAP, NDS', log.scores),
               ('Parts of the loss, smoothed', 'iteration', 'loss', parts),
               ('Learning rate', 'iteration', 'learning rate', log.rates)]
    return [_training_chart(*group) for group in groups if group[3]]


def _training_chart(title: str, x_label: str, y_label: str, lines: Dict[str, Series]) -> Chart:
    points = [point for series in lines.values() for point in series]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, top = min(0.0, *(y for _, y in points)), max(y for _, y in points)
    svg = line_chart({name: thinned(series) for name, series in lines.items()}, x_label=x_label,
                     y_label=y_label, title=title, size_in=WIDE_IN, has_legend=len(lines) > 1,
                     x_range=(first, last if last > first else first + 1),
                     y_range=(low, top * 1.05 if top > low else low + 1),
                     colours=('#8c959f', COLOURS[0]) if 'smoothed' in lines else COLOURS)
    return Chart(title, '', inline(svg))


def inline(svg: str) -> Markup:
    """Returns a chart for a page, which knows the namespaces; matplotlib has escaped every word in it."""
    return Markup(svg.replace(' xmlns="http://www.w3.org/2000/svg"', '').replace(
        ' xmlns:xlink="http://www.w3.org/1999/xlink"', ''))


def smoothed(series: Series, share: float = 0.04) -> Series:
    """Returns the mean over a centred window of `share` of the length, at least 3 points."""
    half = max(1, round(len(series) * share / 2))
    result = []
    for index, (step, _) in enumerate(series):
        # A window that shrinks on both sides alike does not lag at the ends.
        reach = min(half, index, len(series) - 1 - index)
        window = series[index - reach:index + reach + 1]
        result.append((step, sum(value for _, value in window) / len(window)))
    return result


def thinned(series: Series) -> Series:
    """Returns at most MAX_POINTS evenly spaced points, the last among them."""
    stride = -(-len(series) // MAX_POINTS) or 1
    return list(series[(len(series) - 1) % stride::stride])
