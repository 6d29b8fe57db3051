"""A log-log chart as an SVG file: one line a contestant, named at its right end; same input, same bytes."""
import math
from html import escape
from typing import Dict, List, Mapping, Sequence, Tuple

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 750, 420, 64, 250, 34, 46
# Told apart by eyes that see few colours, and on light and dark pages alike.
COLOURS = ('#0969da', '#d1242f', '#8250df', '#1a7f37', '#bf8700', '#8c959f', '#c2478f', '#1b7c83')
STYLE = ('text{font:12px sans-serif;fill:#6e7781}.title{font-size:14px}'
         '.grid{stroke:#8c959f;stroke-opacity:.3}.fine{stroke:#8c959f;stroke-opacity:.12}'
         'polyline{fill:none;stroke-width:2}')
LINE_HEIGHT = 15

Points = Sequence[Tuple[float, float]]


def log_log_chart(lines: Mapping[str, Points], *, title: str, x_label: str, y_label: str,
                  x_ticks: Sequence[float]) -> str:
    """Returns the chart.

    Args:
        lines: (x, y) by name, all positive, x growing.
        title: stands above the chart.
        x_label: what x counts.
        y_label: what y counts.
        x_ticks: where to draw and write x.
    """
    shown = {name: points for name, points in lines.items() if points}
    xs = [x for points in shown.values() for x, _ in points] + list(x_ticks)
    ys = [y for points in shown.values() for _, y in points]
    place = _Place((min(xs), max(xs)), _decades(min(ys), max(ys)))
    parts = _grid(place, x_ticks) + _labels(title, x_label, y_label)
    for index, (name, points) in enumerate(shown.items()):
        parts.append(_line(points, place, COLOURS[index % len(COLOURS)]))
    parts += _names(shown, place)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(title)}</title>'
            f'<style>{STYLE}</style>{"".join(parts)}</svg>\n')


class _Place:
    """Where numbers lie on the chart."""

    def __init__(self, x_range: Tuple[float, float], y_range: Tuple[float, float]) -> None:
        self.x_range, self.y_range = x_range, y_range

    def x(self, value: float) -> float:
        """Returns where a number stands from left to right."""
        return LEFT + _share(value, self.x_range) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Returns where a number stands from top to bottom."""
        return HEIGHT - BOTTOM - _share(value, self.y_range) * (HEIGHT - TOP - BOTTOM)


def _share(value: float, ends: Tuple[float, float]) -> float:
    low, high = map(math.log, ends)
    return (math.log(value) - low) / (high - low) if high > low else 0.5


def _decades(low: float, high: float) -> Tuple[float, float]:
    """Returns the powers of ten around a range."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return 10.0 ** first, 10.0 ** max(last, first + 1)


def _grid(place: _Place, x_ticks: Sequence[float]) -> List[str]:
    left, right, bottom = LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in x_ticks:
        x = place.x(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
                     f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:,.0f}</text>')
    first, last = (round(math.log10(end)) for end in place.y_range)
    for power in range(first, last + 1):
        y = place.y(10.0 ** power)
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0 ** power:g}</text>')
        for factor in range(2, 10) if power < last else ():
            y = place.y(factor * 10.0 ** power)
            parts.append(f'<line class="fine" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return parts


def _labels(title: str, x_label: str, y_label: str) -> List[str]:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return [f'<text class="title" x="{LEFT}" y="18">{escape(title)}</text>',
            f'<text x="{middle_x:g}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text transform="translate(14 {middle_y:g}) rotate(-90)" text-anchor="middle">'
            f'{escape(y_label)}</text>']


def _line(points: Points, place: _Place, colour: str) -> str:
    places = [(place.x(x), place.y(y)) for x, y in points]
    path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in places)
    dots = ''.join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places)
    return f'<polyline points="{path}" stroke="{colour}"/>{dots}'


def _names(lines: Mapping[str, Points], place: _Place) -> List[str]:
    """Writes each name at the height where its line ends, pushed apart where lines end together."""
    ends: Dict[str, Tuple[float, float]] = {
        name: (place.x(points[-1][0]), place.y(points[-1][1])) for name, points in lines.items()}
    colours = {name: COLOURS[index % len(COLOURS)] for index, name in enumerate(lines)}
    parts, lowest = [], TOP - LINE_HEIGHT
    room = len(ends)
    for name, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        room -= 1
        # Room is left below for the names that follow.
        text_y = min(max(y, lowest + LINE_HEIGHT), HEIGHT - BOTTOM - room * LINE_HEIGHT)
        lowest = text_y
        parts.append(f'<line x1="{x + 4:.1f}" y1="{y:.1f}" x2="{WIDTH - RIGHT + 12}" y2="{text_y:.1f}" '
                     f'stroke="{colours[name]}" stroke-opacity=".5"/>'
                     f'<text x="{WIDTH - RIGHT + 16}" y="{text_y + 4:.1f}" style="fill:{colours[name]}">'
                     f'{escape(name)}</text>')
    return parts
