"""Tables as HTML: heads that sort, cells with the number they sort by; readable without the script."""
import math
from dataclasses import dataclass
from html import escape
from typing import List, Optional, Sequence, Tuple

NOTHING = '–'
MINUS = '−'
# Scenes that are alike, or only one of them, give an interval without width, up to rounding.
NO_SPREAD = 1e-9


@dataclass(frozen=True)
class Head:
    """A column: its name, what it means and a small second line."""

    name: str
    meaning: str = ''
    unit: str = ''


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: shown, as HTML.
        note: small text behind it, as HTML.
        order: the number to sort by; None if the text says it.
        style: CSS classes.
        share: length of the bar behind the text, 0 to 1.
    """

    text: str
    note: str = ''
    order: Optional[float] = None
    style: str = ''
    share: Optional[float] = None

    def html(self, note_width: int = 0) -> str:
        """Returns the cell.

        Args:
            note_width: room for the note in digits, also where there is none, so that the texts of a
                column stand below each other.
        """
        style = f' class="{self.style}"' if self.style else ''
        order = '' if self.order is None else f' data-order="{self.order:.6g}"'
        bar = '' if self.share is None else f' style="--share:{100 * self.share:.1f}%"'
        room = f' style="min-width:{note_width}ch"' if note_width else ''
        note = f' <small{room}>{self.note}</small>' if self.note or room else ''
        return f'<td{style}{order}{bar}>{self.text}{note}</td>'


Row = Tuple[str, Sequence[Cell]]


def sortable_table(label: str, heads: Sequence[Head], rows: Sequence[Row],
                   foot: Optional[Row] = None) -> str:
    """Returns a table whose heads are buttons.

    Args:
        label: read by screen readers.
        heads: one a column, that of the row names first.
        rows: name (as HTML) and cells.
        foot: a last row that stays below.
    """
    head = ''.join(
        f'<th scope="col" title="{escape(column.meaning)}"><button type="button">'
        f'{escape(column.name)}<small>{escape(column.unit)}</small></button></th>' for column in heads)
    widths = note_widths([*rows, foot] if foot else rows)
    body = ''.join(table_row(row, widths) for row in rows)
    below = f'<tfoot>{table_row(foot, widths)}</tfoot>' if foot else ''
    # A region that scrolls must take the keyboard's focus.
    return (f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}">'
            f'<table class="sortable"><thead><tr>{head}</tr></thead>'
            f'<tbody>{body}</tbody>{below}</table></div>')


def note_widths(rows: Sequence[Row]) -> List[int]:
    """Returns the length of the longest note of each column behind that of the names."""
    columns = zip(*(cells for _, cells in rows))
    return [max(len(cell.note) for cell in column) for column in columns]


def table_row(row: Row, widths: Sequence[int]) -> str:
    """Returns one row.

    Args:
        row: name and cells.
        widths: see note_widths.
    """
    name, cells = row
    return (f'<tr><th scope="row">{name}</th>'
            f'{"".join(cell.html(width) for cell, width in zip(cells, widths))}</tr>')


def figure_text(value: Optional[float], digits: int = 3) -> str:
    """Writes a figure; one that does not exist (None, NaN, infinite) is a dash."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f'{value:.{digits}f}'


def interval_text(bounds: Optional[Sequence[float]]) -> str:
    """Writes an interval as 0.12–0.34; nothing where there is none or one scene leaves no spread."""
    if bounds is None or bounds[1] - bounds[0] < NO_SPREAD:
        return ''
    low, high = bounds
    middle = f' to {difference_text(high)}' if low < 0 else f'–{high:.3f}'
    return (difference_text(low) if low < 0 else f'{low:.3f}') + middle


def difference_text(value: Optional[float]) -> str:
    """Writes a difference with its sign."""
    text = figure_text(value)
    if text == NOTHING:
        return text
    sign = '' if float(text) == 0 else '+' if value > 0 else MINUS
    return sign + text.lstrip('-')


def figure_cell(value: Optional[float], bounds: Optional[Sequence[float]] = None) -> Cell:
    """Returns a figure, its interval behind it."""
    return Cell(figure_text(value), note=interval_text(bounds))


def ap_cell(value: Optional[float], bounds: Optional[Sequence[float]] = None) -> Cell:
    """Returns a score between 0 and 1 with a bar as long as it."""
    text = figure_text(value)
    share = 0.0 if text == NOTHING else min(max(float(value), 0.0), 1.0)
    return Cell(text, note=interval_text(bounds), style='ap', share=share)


def count_cell(count: int) -> Cell:
    """Returns a number of things."""
    return Cell(f'{count:,}', order=count)


def difference_cell(value: Optional[float], bounds: Optional[Sequence[float]] = None, *,
                    lower_is_better: bool = False) -> Cell:
    """Returns a difference, coloured by whether it is an improvement.

    Args:
        value: this minus the other.
        bounds: its interval.
        lower_is_better: for errors.
    """
    text = difference_text(value)
    if text == NOTHING:
        return Cell(text)
    gain = -value if lower_is_better else value
    style = '' if float(value) == 0 else 'better' if gain > 0 else 'worse'
    return Cell(text, note=interval_text(bounds), order=value, style=style)
