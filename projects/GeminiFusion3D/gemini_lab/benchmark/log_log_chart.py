"""A log-log chart as an SVG file: one line per contestant, named at the side."""
from typing import Mapping, Sequence

from matplotlib.ticker import FuncFormatter, NullFormatter

from ..charts import COLOURS, TEXT, Points, new_chart, svg_text


def log_log_chart(lines: Mapping[str, Points], *, title: str, x_label: str, y_label: str,
                  x_ticks: Sequence[float]) -> str:
    """Returns the chart; the same input gives the same bytes.

    Args:
        lines: (x, y) by name, all positive, x growing.
        title: stands above the chart.
        x_label: what x counts.
        y_label: what y counts.
        x_ticks: where to draw and write x.
    """
    figure, axes = new_chart((7.8, 4.4), x_label, y_label)
    # The slowest first, as the lines lie.
    shown = sorted((item for item in lines.items() if item[1]), key=lambda item: -item[1][-1][1])
    places = list(lines)
    for name, points in shown:
        xs, ys = zip(*points)
        axes.loglog(xs, ys, marker='o', markersize=3, linewidth=1.6, label=name,
                    color=COLOURS[places.index(name) % len(COLOURS)])
    axes.set_xticks(list(x_ticks), minor=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:,.0f}'))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.set_title(title, loc='left', fontsize=10, color=TEXT)
    axes.legend(loc='center left', bbox_to_anchor=(1.0, 0.5), fontsize=8, labelcolor='linecolor')
    return svg_text(figure, title) + '\n'
