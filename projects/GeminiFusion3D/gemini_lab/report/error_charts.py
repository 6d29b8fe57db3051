"""True-positive errors over recall: how good the boxes are, from the surest to the last one found."""
import math
from typing import List, Mapping, Sequence

from .charts import MIN_RECALL, SMALL, not_scored
from .metric_files import TP_ERRORS, Curve, Metrics
from .svg_chart import Axis, Line, line_chart
from .tables import ERROR_TITLES, class_title

# Of the devkit: where the errors are taken.
MATCH_DISTANCE_M = 2.0
# An orientation or a velocity far off must not press the other curves flat.
HIGHEST_TOP = 2.0


def error_charts(metrics: Metrics, class_names: Sequence[str], truth: Mapping[str, int]) -> str:
    """Returns one small chart per class with a curve per error."""
    return '<div class="small-charts">' + ''.join(
        error_chart(metrics, name, truth.get(name, 0)) for name in class_names) + '</div>'


def error_chart(metrics: Metrics, name: str, num_truth: int) -> str:
    """Returns the curves of one class; below a recall of 0.1 errors do not count."""
    curve = metrics.curves.get(name, {}).get(MATCH_DISTANCE_M)
    lines = error_lines(metrics, name, curve) if curve is not None else []
    highest = max((y for line in lines for _, y in line.points), default=1.0)
    top = 1.0 if highest <= 1.0 else HIGHEST_TOP
    frame = SMALL
    chart = line_chart(Axis('recall', 0, 1), Axis('error', 0, top), capped(lines, top), frame=frame,
                       title=f'true-positive errors over recall of {name}',
                       under=not_scored(frame, 0, MIN_RECALL))
    why = 'no match' if num_truth else 'not in this split'
    empty = '' if any(line.points for line in lines) else f'<span class="none">{why}</span>'
    above = f'<b>up to {highest:.1f}</b>' if highest > top else ''
    return (f'<figure class="small"><figcaption>{class_title(name)}{above}</figcaption>'
            f'{chart}{empty}</figure>')


def error_lines(metrics: Metrics, name: str, curve: Curve) -> List[Line]:
    """Returns a line for each error that is defined for the class."""
    official = metrics.class_errors.get(name, {})
    return [Line(name=error_name(error), style=f'error-{index}',
                 points=list(zip(curve.recall.tolist(), curve.errors[error].tolist())))
            for index, error in enumerate(TP_ERRORS)
            if error in curve.errors and math.isfinite(official.get(error, math.nan))]


def capped(lines: Sequence[Line], top: float) -> List[Line]:
    """Keeps lines within the frame; what is higher runs along its upper edge."""
    return [Line(line.name, line.style, [(x, min(y, top)) for x, y in line.points]) for line in lines]


def error_legend() -> str:
    """Returns the names and units of the five errors."""
    return '<span class="legend">' + ''.join(
        f'<span><i class="error-{index}"></i>{error_name(error)}</span>'
        for index, error in enumerate(TP_ERRORS)) + '</span>'


def error_name(error: str) -> str:
    """Returns name and unit of an error."""
    _, long, unit = ERROR_TITLES[error]
    return f'{long} ({unit})'
