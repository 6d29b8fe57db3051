"""Small charts as inline SVG: a frame with ticks, lines, bars; same input, same bytes."""
import math
from dataclasses import dataclass
from html import escape
from typing import List, Sequence, Tuple


@dataclass(frozen=True)
class Axis:
    """A linear axis: what it counts and its ends."""

    label: str
    low: float
    high: float

    def share(self, value: float) -> float:
        """Returns where `value` lies: 0 at `low`, 1 at `high`."""
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Line:
    """One curve: its name, the CSS classes that style it and its points."""

    name: str
    style: str
    points: Sequence[Tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """The size of a chart and the room around its plot area, in SVG units."""

    width: float = 320
    height: float = 220
    left: float = 44
    right: float = 12
    top: float = 12
    bottom: float = 38

    def x(self, share: float) -> float:
        """Returns the horizontal place of a share of the plot area."""
        return self.left + share * (self.width - self.left - self.right)

    def y(self, share: float) -> float:
        """Returns the vertical place of a share of the plot area; 0 is the bottom."""
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)


def tick_values(low: float, high: float, count: int = 5) -> List[float]:
    """Returns round values (1, 2 or 5 times a power of ten apart) within [low, high].

    Args:
        low: lower end.
        high: upper end, above `low`.
        count: about how many.
    """
    raw = (high - low) / max(count, 1)
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Writes a tick as short as it is exact: 0.5, 20, 1.5k, 2e-4."""
    if value != 0 and abs(value) < 1e-3:
        return f'{value:.0e}'.replace('e-0', 'e-')
    if abs(value) >= 1000:
        return f'{value / 1000:g}k'
    return f'{value:g}'


def line_chart(x_axis: Axis, y_axis: Axis, lines: Sequence[Line], *, title: str,
               frame: Frame = Frame(), under: str = '') -> str:
    """Returns a chart of lines.

    Args:
        x_axis: horizontal axis.
        y_axis: vertical axis.
        lines: curves, the last one on top.
        title: read by screen readers and shown on hover.
        frame: size and margins.
        under: SVG below the curves.
    """
    curves = ''.join(polyline(line, x_axis, y_axis, frame) for line in lines)
    return (f'<svg class="chart" viewBox="0 0 {frame.width:g} {frame.height:g}" role="img">'
            f'<title>{escape(title)}</title>{under}{grid(x_axis, y_axis, frame)}{curves}</svg>')


def polyline(line: Line, x_axis: Axis, y_axis: Axis, frame: Frame) -> str:
    """Returns one curve; a dot for a single point."""
    if len(line.points) == 1:
        x, y = line.points[0]
        return (f'<circle class="dot {line.style}" cx="{frame.x(x_axis.share(x)):.1f}" '
                f'cy="{frame.y(y_axis.share(y)):.1f}" r="3"/>')
    places = ' '.join(f'{frame.x(x_axis.share(x)):.1f},{frame.y(y_axis.share(y)):.1f}'
                      for x, y in line.points)
    return (f'<polyline class="curve {line.style}" points="{places}">'
            f'<title>{escape(line.name)}</title></polyline>')


def grid(x_axis: Axis, y_axis: Axis, frame: Frame) -> str:
    """Returns grid lines, tick labels and axis labels."""
    left, right, bottom, top = frame.x(0), frame.x(1), frame.y(0), frame.y(1)
    parts = []
    for value in tick_values(y_axis.low, y_axis.high, 4):
        y = frame.y(y_axis.share(value))
        parts.append(f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text class="y" x="{left - 6:.1f}" y="{y + 3.5:.1f}">{tick_label(value)}'
                     '</text>')
    for value in tick_values(x_axis.low, x_axis.high, 5):
        x = frame.x(x_axis.share(value))
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{top:.1f}"/>'
                     f'<text class="x" x="{x:.1f}" y="{bottom + 14:.1f}">{tick_label(value)}'
                     '</text>')
    middle_y = (bottom + top) / 2
    parts.append(f'<text class="x label" x="{(left + right) / 2:.1f}" y="{frame.height - 6:.1f}">'
                 f'{escape(x_axis.label)}</text>')
    parts.append(f'<text class="x label" transform="translate(11 {middle_y:.1f}) rotate(-90)">'
                 f'{escape(y_axis.label)}</text>')
    return f'<g class="grid">{"".join(parts)}</g>'


def bar_chart(rows: Sequence[Tuple[str, Sequence[float]]], styles: Sequence[str], *, title: str,
              width: float = 1100, name_width: float = 150, digits: int = 0, least: float = 0) -> str:
    """Returns horizontal bars, one group per row and one bar per style, the value at its end.

    Args:
        rows: (name, one value per style).
        styles: CSS classes of the bars.
        title: read by screen readers and shown on hover.
        width: of the whole chart.
        name_width: room for the names.
        digits: behind the point of the values.
        least: what a bar of the whole width stands for at least; 0 for the largest value.
    """
    bar, gap = 13, 10
    group = bar * len(styles) + gap
    most = max((least, *(value for _, values in rows for value in values))) or 1
    scale = (width - name_width - 60) / most
    parts = []
    for index, (name, values) in enumerate(rows):
        top = index * group + gap / 2
        parts.append(f'<text class="y" x="{name_width - 8:g}" '
                     f'y="{top + bar * len(styles) / 2 + 4:.1f}">{escape(name)}</text>')
        for row, (value, style) in enumerate(zip(values, styles)):
            y, length = top + row * bar, value * scale
            parts.append(f'<rect class="bar {style}" x="{name_width:g}" y="{y:.1f}" '
                         f'width="{length:.1f}" height="{bar - 2}"/>'
                         f'<text class="value" x="{name_width + length + 5:.1f}" y="{y + 10:.1f}">'
                         f'{value:,.{digits}f}</text>')
    return (f'<svg class="chart bars" viewBox="0 0 {width:g} {len(rows) * group:g}" role="img">'
            f'<title>{escape(title)}</title>{"".join(parts)}</svg>')
