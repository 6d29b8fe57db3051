"""Which curves the report shows: precision over recall, training, boxes per class."""
from typing import List, Mapping, Sequence, Tuple

from .html_table import figure_text
from .metric_files import Metrics
from .svg_chart import Axis, Frame, Line, bar_chart, line_chart
from .tables import class_title
from .training_log import Series, TrainingLog

# More points than a screen has pixels only make the file larger.
MAX_POINTS = 600
MIN_RECALL = MIN_PRECISION = 0.1
SMALL = Frame(width=260, height=190, left=38, right=6)
WIDE = Frame(width=640, height=260, left=52)


def precision_recall_charts(metrics: Metrics, class_names: Sequence[str],
                            truth: Mapping[str, int]) -> str:
    """Returns one small chart per class with a curve per match distance."""
    return '<div class="small-charts">' + ''.join(
        class_chart(metrics, name, truth.get(name, 0)) for name in class_names) + '</div>'


def class_chart(metrics: Metrics, name: str, num_truth: int) -> str:
    """Returns the curves of one class; the shaded margins do not count for AP."""
    curves = metrics.curves.get(name, {})
    lines = [Line(name=f'match within {distance_m:g} m', style=f'distance-{index}',
                  points=list(zip(curve.recall.tolist(), curve.precision.tolist())))
             for index, (distance_m, curve) in enumerate(sorted(curves.items()))]
    frame = SMALL
    margins = not_scored(frame, 0, MIN_RECALL) + not_scored(frame, MIN_RECALL, 1, MIN_PRECISION)
    chart = line_chart(Axis('recall', 0, 1), Axis('precision', 0, 1), lines, frame=frame,
                       title=f'precision over recall of {name}', under=margins)
    why = 'no match' if num_truth else 'not in this split'
    empty = '' if any(line.points for line in lines) else f'<span class="none">{why}</span>'
    return (f'<figure class="small"><figcaption>{class_title(name)}'
            f'<b>AP {figure_text(metrics.class_ap.get(name))}</b></figcaption>'
            f'{chart}{empty}</figure>')


def not_scored(frame: Frame, left: float, right: float, top: float = 1.0) -> str:
    """Shades a part of the plot area from its bottom up; all in shares of the plot area."""
    return (f'<rect class="margin" x="{frame.x(left):.1f}" y="{frame.y(top):.1f}" '
            f'width="{frame.x(right) - frame.x(left):.1f}" '
            f'height="{frame.y(0) - frame.y(top):.1f}"/>')


def training_charts(log: TrainingLog) -> str:
    """Returns the loss, its parts, the learning rate, and mAP and NDS if logged."""
    loss = log.losses['loss']
    parts = {name: series for name, series in sorted(log.losses.items()) if name != 'loss'}
    charts = [chart_figure('Loss', [Line('loss as logged', 'raw', thin_out(loss)),
                                    Line('smoothed', 'main', thin_out(smoothed(loss)))],
                           'iteration', 'loss')]
    if log.scores:
        charts.append(chart_figure('Validation during training', [
            Line(name, f'series-{index}', series)
            for index, (name, series) in enumerate(sorted(log.scores.items()))],
            'evaluated after', 'mAP, NDS'))
    if parts:
        charts.append(chart_figure('Parts of the loss, smoothed', [
            Line(name, f'series-{index % 8}', thin_out(smoothed(series)))
            for index, (name, series) in enumerate(parts.items())], 'iteration', 'loss'))
    for series in log.rates.values():
        charts.append(chart_figure('Learning rate', [Line('learning rate', 'main',
                                                          thin_out(series))],
                                   'iteration', 'learning rate'))
    return f'<div class="wide-charts">{"".join(charts)}</div>'


def chart_figure(title: str, lines: Sequence[Line], x_label: str, y_label: str) -> str:
    """Returns a titled chart that starts at 0, with a legend where it has more than one line."""
    points = [point for line in lines for point in line.points]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, top = min(0.0, *(y for _, y in points)), max(y for _, y in points)
    chart = line_chart(Axis(x_label, first, last if last > first else first + 1),
                       Axis(y_label, low, top * 1.05 if top > low else low + 1), lines,
                       title=title, frame=WIDE)
    legend = ''.join(f'<span><i class="{line.style}"></i>{line.name}</span>' for line in lines)
    return (f'<figure class="wide"><figcaption>{title}</figcaption>{chart}'
            + (f'<p class="legend">{legend}</p>' if len(lines) > 1 else '') + '</figure>')


def smoothed(series: Series, share: float = 0.04) -> List[Tuple[float, float]]:
    """Returns the mean over a centred window of `share` of the length, at least 3 points."""
    half = max(1, round(len(series) * share / 2))
    result = []
    for index, (step, _) in enumerate(series):
        # A window that shrinks on both sides alike does not lag at the ends.
        reach = min(half, index, len(series) - 1 - index)
        window = series[index - reach:index + reach + 1]
        result.append((step, sum(value for _, value in window) / len(window)))
    return result


def thin_out(series: Sequence[Tuple[float, float]]) -> List[Tuple[float, float]]:
    """Keeps at most MAX_POINTS evenly spaced points, the last among them."""
    stride = -(-len(series) // MAX_POINTS) or 1
    return list(series[(len(series) - 1) % stride::stride])


def class_count_chart(class_names: Sequence[str], truth: Mapping[str, int],
                      predictions: Mapping[str, int]) -> str:
    """Returns how many boxes of each class there are and how many were predicted."""
    rows = [(name.replace('_', ' '), (truth.get(name, 0), predictions.get(name, 0)))
            for name in class_names]
    return bar_chart(rows, ('truth', 'pred'), title='boxes per class')
