"""The comparison as a Markdown table."""
from typing import Dict, List, Optional, Sequence

from ..cost.stats_table import three_digits
from ..text_table import markdown_table as any_table
from .summary import Figure, Row

HEADER = ('model', 'seeds', 'mAP', 'NDS', 'cameras black: Δ mAP', 'LiDAR empty: Δ mAP', 'parameters',
          'multiply-adds', 'of the fuser', 'training step')


def markdown_table(rows: Sequence[Row]) -> str:
    """Returns the table; numbers that a model does not have are dashes.

    Args:
        rows: one a model.
    """
    marks = processor_marks(rows)
    return any_table(HEADER, [_cells(row, marks) for row in rows])


def processor_marks(rows: Sequence[Row]) -> Dict[str, str]:
    """Returns a letter for each processor that steps were timed on; no letter where there is only one."""
    processors = list(dict.fromkeys(name for row in rows for name in row.processors))
    return {name: f' ({chr(ord("a") + place)})' if len(processors) > 1 else ''
            for place, name in enumerate(processors)}


def _cells(row: Row, marks: Dict[str, str]) -> List[str]:
    return [row.label, str(row.seeds), f'{row.mAP:.3f}', f'{row.NDS:.3f}', _signed(row.black_delta),
            _signed(row.empty_delta), three_digits(row.parameters), three_digits(row.multiply_adds),
            '–' if row.fuser_multiply_adds is None else three_digits(row.fuser_multiply_adds),
            f'{row.step_s.mean * 1000:.0f} ms' + ''.join(marks[name] for name in row.processors)]


def _signed(figure: Optional[Figure]) -> str:
    return '–' if figure is None else f'{figure:+.3f}'
