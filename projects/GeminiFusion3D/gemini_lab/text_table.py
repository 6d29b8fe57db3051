"""Rows of cells as a table for the terminal or for Markdown; numbers stand right."""
from typing import Optional, Sequence

Row = Sequence[str]
NOTHING = '–'


def number(value: Optional[float], *, signed: bool = False) -> str:
    """Returns three digits behind the point; a dash where there is no number."""
    if value is None:
        return NOTHING
    return f'{value:+.3f}' if signed else f'{value:.3f}'


def terminal_table(header: Row, rows: Sequence[Row], *, words: int = 1) -> str:
    """Returns aligned columns.

    Args:
        header: one cell per column.
        rows: as many cells each.
        words: how many columns from the left hold words; the others are set to the right.
    """
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return '\n'.join('  '.join(
        cell.ljust(width) if column < words else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def markdown_table(header: Row, rows: Sequence[Row], *, words: int = 1) -> str:
    """Returns a Markdown table; arguments as those of terminal_table."""
    rule = ['---' if column < words else '--:' for column in range(len(header))]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in (header, rule, *rows))
