"""What the page shows of `benchmark fusion`: one size in detail, and the growth of all."""
import math
import statistics
from typing import Dict, List, Optional, Sequence, Tuple

from ..charts import log_log_chart
from ..cost.stats_table import three_digits
from ..text_table import markdown_table
from .fusers import OURS, PRODUCTS, REFERENCE
from .rows import Row, mebibytes, ratio, seconds

Point = Tuple[float, float]


def log_log_slope(points: Sequence[Point]) -> Optional[float]:
    """Returns the exponent p of the power law y ~ x^p that fits best in logarithms; None for one point.

    Args:
        points: (x, y), all positive.
    """
    if len({x for x, _ in points}) < 2:
        return None
    log_x, log_y = zip(*((math.log(x), math.log(y)) for x, y in points))
    return statistics.linear_regression(log_x, log_y).slope


def predicted(points: Sequence[Point], x: float, *, power: float = 1.0) -> Optional[float]:
    """Returns what the next larger x will cost if the growth of the last two points goes on.

    Args:
        points: (x, y) in growing x.
        x: the next size.
        power: the slope for a single point, and the least for more.
    """
    if not points:
        return None
    (last_x, last_y) = points[-1]
    slope = log_log_slope(points[-2:])
    return last_y * (x / last_x) ** (power if slope is None else max(slope, power))


# The map of the full-size recipes' published kind: 180 x 180.
DETAIL_CELLS = 32400
INFERENCE, TRAINING = 'inference', 'training step'


def fusion_markdown(rows: Sequence[Row]) -> str:
    """Returns both tables, the sentence of ratios and the chart."""
    parts = []
    for channels in _values(rows, 'channels'):
        chosen = [row for row in rows if row.facts['channels'] == channels]
        parts += [_detail(chosen, channels), _ratios(chosen), _growth(chosen)]
        parts.append(f'![Seconds of each fuser over the number of cells]({_file(channels)})')
    return '\n\n'.join(part for part in parts if part)


def chart_files(rows: Sequence[Row]) -> Dict[str, str]:
    """Returns one log-log chart per number of channels, by file name."""
    charts = {}
    for channels in _values(rows, 'channels'):
        chosen = [row for row in rows if row.facts['channels'] == channels and row.mode == INFERENCE]
        lines = {name: [(row.facts['cells'], row.median_s * 1000) for row in chosen if row.name == name]
                 for name in _names(chosen)}
        if lines:
            charts[_file(channels)] = log_log_chart(
                lines, title=f'Inference, {channels} channels, {chosen[0].dtype}, {chosen[0].device}',
                x_label='cells of the map', y_label='milliseconds', x_ticks=_values(chosen, 'cells'))
    return charts


def growth_slope(rows: Sequence[Row], name: str, mode: str) -> Optional[float]:
    """Returns the slope of a contestant's log-log plot; None where it ran on one size only."""
    return log_log_slope([(row.facts['cells'], row.median_s) for row in rows
                          if row.name == name and row.mode == mode])


def _detail(rows: Sequence[Row], channels: int) -> str:
    cells = DETAIL_CELLS if DETAIL_CELLS in _values(rows, 'cells') else max(_values(rows, 'cells'))
    header = [f'{cells:,} cells, {channels} channels, {rows[0].dtype}', 'inference', 'peak memory',
              'training step', 'peak memory', 'multiply-adds']
    lines = []
    for name in _names(rows):
        line = [name]
        found = {row.mode: row for row in rows if row.name == name and row.facts['cells'] == cells}
        for mode in (INFERENCE, TRAINING):
            line += [_spread(found[mode]), mebibytes(found[mode].peak_bytes)] if mode in found else ['–', '–']
        lines.append([*line, three_digits(found[INFERENCE].macs) if INFERENCE in found else '–'])
    return markdown_table(header, lines)


def _growth(rows: Sequence[Row]) -> str:
    sizes = _values(rows, 'cells')
    if len(sizes) < 2:
        return ''
    header = ['inference', *(f'{cells:,} cells' for cells in sizes), 'slope', 'slope, training step']
    lines = []
    for name in _names(rows):
        times = {row.facts['cells']: seconds(row.median_s) for row in rows
                 if row.name == name and row.mode == INFERENCE}
        slopes = [growth_slope(rows, name, mode) for mode in (INFERENCE, TRAINING)]
        lines.append([name, *(times.get(cells, '–') for cells in sizes),
                      *('–' if slope is None else f'{slope:.2f}' for slope in slopes)])
    return f'{markdown_table(header, lines)}\n\nA dash: left out, because a call would take too long here.'


def _ratios(rows: Sequence[Row]) -> str:
    """Says how the module stands beside the official formula and beside its matrix products."""
    cells = DETAIL_CELLS if DETAIL_CELLS in _values(rows, 'cells') else max(_values(rows, 'cells'))
    at = [row for row in rows if row.facts['cells'] == cells]
    sentences = []
    for mode in (INFERENCE, TRAINING):
        names = {row.name for row in at if row.mode == mode}
        if {OURS, REFERENCE} <= names:
            share = 1 / ratio(at, OURS, REFERENCE, of='peak_bytes', mode=mode)
            sentences.append(f'{mode} {ratio(at, OURS, REFERENCE, mode=mode):.1f} times as fast as the '
                             f'official formula with {share:.0%} of its memory')
        if {OURS, PRODUCTS} <= names:
            share = 1 / ratio(at, OURS, PRODUCTS, mode=mode)
            sentences.append(f'{share:.2f} times the time of its matrix products alone')
    return f'GeminiFusion there: {", ".join(sentences)}.' if sentences else ''


def _spread(row: Row) -> str:
    return f'{seconds(row.median_s)} ± {seconds(row.spread / 2)}'


def _names(rows: Sequence[Row]) -> List[str]:
    return list(dict.fromkeys(row.name for row in rows))


def _values(rows: Sequence[Row], key: str) -> List[int]:
    return sorted({row.facts[key] for row in rows})


def _file(channels: int) -> str:
    return f'benchmark-fusion-{channels}.svg'
