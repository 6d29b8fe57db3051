"""Charts as SVG text by matplotlib: the same input gives the same bytes; for light and for dark pages."""
import io
import re
from typing import Any, Mapping, Sequence, Tuple

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

# Distinct for eyes that see few colours, on light and on dark pages alike.
COLOURS = ('#0969da', '#d1242f', '#8250df', '#1a7f37', '#bf8700', '#8c959f', '#c2478f', '#1b7c83')
TEXT, GRID = '#6e7781', '#8c959f'
STYLE = {'svg.fonttype': 'none', 'svg.hashsalt': 'geminifusion3d', 'font.family': 'sans-serif',
         'font.size': 9,
         'text.color': TEXT, 'axes.labelcolor': TEXT, 'axes.edgecolor': GRID, 'xtick.color': TEXT,
         'ytick.color': TEXT, 'axes.spines.top': False, 'axes.spines.right': False, 'axes.grid': True,
         'grid.color': GRID, 'grid.alpha': 0.3, 'legend.frameon': False, 'text.parse_math': False}

Points = Sequence[Tuple[float, float]]


def new_chart(size_in: Tuple[float, float], x_label: str = '', y_label: str = '') -> Tuple[Figure, Any]:
    """Returns a figure and its axes in the common style, without pyplot's list of open figures.

    Args:
        size_in: width and height in inches.
        x_label: what x counts.
        y_label: what y counts.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size_in, layout='constrained')
        axes = figure.subplots()
        axes.set(xlabel=x_label, ylabel=y_label)
    return figure, axes


def svg_text(figure: Figure, title: str = '') -> str:
    """Returns a figure as an SVG element, transparent, without the date.

    Args:
        figure: see `new_chart`.
        title: read by screen readers.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        metadata = {'Date': None, 'Creator': None, 'Title': title}
        figure.savefig(buffer, format='svg', transparent=True, metadata=metadata)
    # Without matplotlib's ids and its style sheet, which a page with several charts would share.
    text = re.sub(r'<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>', '', buffer.getvalue(),
                  flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', '<g>', text)
    return text[text.index('<svg'):].replace('<svg', '<svg class="chart" role="img"', 1)


def line_chart(lines: Mapping[str, Points], *, x_label: str, y_label: str, title: str,
               size_in: Tuple[float, float] = (2.6, 1.9), y_range: Tuple[float, float] = (0, 1),
               x_range: Tuple[float, float] = (0, 1), colours: Sequence[str] = COLOURS,
               has_legend: bool = False, ignored_below: Tuple[float, float] = (0, 0)) -> str:
    """Returns a chart of lines; one of a single point is a dot.

    Args:
        lines: (x, y) by name.
        x_label: what x counts.
        y_label: what y counts.
        title: read by screen readers.
        size_in: width and height in inches.
        y_range: ends of the vertical axis; what is higher runs along its upper edge.
        x_range: ends of the horizontal axis.
        colours: one per line, from the first again where they end.
        has_legend: write the names into the chart.
        ignored_below: x and y below which the chart is shaded, because the score ignores it.
    """
    figure, axes = new_chart(size_in, x_label, y_label)
    for index, (name, points) in enumerate(lines.items()):
        xs, ys = zip(*((x, min(y, y_range[1])) for x, y in points)) if points else ((), ())
        axes.plot(xs, ys, color=colours[index % len(colours)], linewidth=1.4, label=name,
                  marker='o' if len(points) == 1 else None, clip_on=False)
    if any(ignored_below):
        axes.axvspan(x_range[0], ignored_below[0], color=GRID, alpha=0.15, linewidth=0)
        axes.axhspan(y_range[0], ignored_below[1], color=GRID, alpha=0.15, linewidth=0)
    axes.set(xlim=x_range, ylim=y_range)
    if has_legend:
        axes.legend(fontsize=8, labelcolor=TEXT)
    return svg_text(figure, title)


def log_log_chart(lines: Mapping[str, Points], *, title: str, x_label: str, y_label: str,
                  x_ticks: Sequence[float]) -> str:
    """Returns a chart of lines on logarithmic axes, their names at its side, and a line end.

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
