"""The comparison as a picture: mean mAP of each model, its spread, and every single run."""
from html import escape
from typing import List, Mapping, Sequence, Tuple

from .summary import Row

NAME_WIDTH, PLOT_WIDTH, ROW_HEIGHT, TOP, BOTTOM = 230, 420, 26, 14, 40
STYLE = ('text{font:12px sans-serif;fill:#57606a}.grid{stroke:#8c959f;stroke-opacity:.35}'
         '.bar{fill:#0969da;fill-opacity:.35}.spread{stroke:#0969da;stroke-width:2}'
         '.run{fill:#0969da}')


def svg_plot(rows: Sequence[Row], runs: Mapping[str, Sequence[float]]) -> str:
    """Returns an SVG file: one bar a model with mean ± spread, one dot a run.

    Args:
        rows: one a model.
        runs: mAP of each run, by label.
    """
    values = [value for row in rows for value in (row.mAP.mean, *runs[row.label])]
    step = 0.05 if max(values) > 0.15 else 0.01
    most = step * (int(max(values) / step + 1e-9) + 1)
    height = TOP + ROW_HEIGHT * len(rows) + BOTTOM
    parts = _grid(most, step, height) + [
        part for index, row in enumerate(rows) for part in _model(index, row, runs[row.label], most)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{NAME_WIDTH + PLOT_WIDTH + 20}" '
            f'height="{height}" role="img"><title>mAP of each model</title><style>{STYLE}</style>'
            + ''.join(parts) + '</svg>\n')


def _x(value: float, most: float) -> float:
    return NAME_WIDTH + max(0.0, value) / most * PLOT_WIDTH


def _grid(most: float, step: float, height: int) -> List[str]:
    parts = []
    for index in range(round(most / step) + 1):
        x = _x(index * step, most)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" '
                     f'y2="{height - BOTTOM}"/><text x="{x:.1f}" y="{height - BOTTOM + 16}" '
                     f'text-anchor="middle">{index * step:.2f}</text>')
    middle = NAME_WIDTH + PLOT_WIDTH / 2
    return parts + [f'<text x="{middle}" y="{height - 6}" text-anchor="middle">mAP: bars are means, '
                    'lines standard deviations, dots runs</text>']


def _model(index: int, row: Row, runs: Sequence[float], most: float) -> List[str]:
    y = TOP + ROW_HEIGHT * (index + 0.5)
    mean_x = _x(row.mAP.mean, most)
    parts = [f'<text x="{NAME_WIDTH - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(row.label)}</text>',
             f'<rect class="bar" x="{NAME_WIDTH}" y="{y - 8:.1f}" '
             f'width="{mean_x - NAME_WIDTH:.1f}" height="16"/>']
    # NaN, the spread of one seed, is not above zero.
    if row.mAP.spread > 0:
        low, high = _ends(row, most)
        parts.append(f'<line class="spread" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return parts + [f'<circle class="run" cx="{_x(value, most):.1f}" cy="{y:.1f}" r="2.5"/>'
                    for value in runs]


def _ends(row: Row, most: float) -> Tuple[float, float]:
    return (_x(row.mAP.mean - row.mAP.spread, most),
            min(_x(row.mAP.mean + row.mAP.spread, most), NAME_WIDTH + PLOT_WIDTH))
