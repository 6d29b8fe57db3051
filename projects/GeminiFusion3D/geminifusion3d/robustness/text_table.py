"""Rows of cells as a table for the terminal or for Markdown; numbers stand right."""
from typing import List, Optional, Sequence

Row = Sequence[str]
NOTHING = '–'


def number(value: Optional[float], *, signed: bool = False) -> str:
    """Returns three digits behind the point; a dash where there is no number.

    Args:
        value: what to show.
        signed: show a plus too.
    """
    if value is None:
        return NOTHING
    return f'{value:+.3f}' if signed else f'{value:.3f}'


def terminal_table(header: Row, rows: Sequence[Row]) -> str:
    """Returns aligned columns, the first to the left.

    Args:
        header: one cell a column.
        rows: as many cells each.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return '\n'.join(_aligned(line, widths) for line in lines)


def markdown_table(header: Row, rows: Sequence[Row]) -> str:
    """Returns a Markdown table, the first column to the left.

    Args:
        header: one cell a column.
        rows: as many cells each.
    """
    lines: List[Row] = [header, ('---',) + ('--:',) * (len(header) - 1), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _aligned(line: Row, widths: Sequence[int]) -> str:
    first, *others = (cell.ljust(width) if column == 0 else cell.rjust(width)
                      for column, (cell, width) in enumerate(zip(line, widths)))
    return '  '.join([first, *others]).rstrip()
