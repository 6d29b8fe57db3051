"""The README's tables of `tools/benchmark.py data`: pipelines, then their steps."""
from typing import List, Sequence

from ..text_table import markdown_table
from .rows import Row, ratio, seconds

OURS, WHOLE = 'this project', 'this project, pictures decoded whole'
STEP = 'step of '
HEADER = ('pipeline', 'for', 'a keyframe', 'spread', 'keyframes a second and worker',
          'times the time of ours', 'PSNR to antialiased', 'mean difference')


def data_markdown(rows: Sequence[Row]) -> str:
    """Returns the tables.

    Args:
        rows: as the sub-command returns them.
    """
    whole = [row for row in rows if not row.mode.startswith(STEP)]
    lines = [[row.name, row.mode, seconds(row.median_s), seconds(row.spread), f'{1 / row.median_s:.1f}',
              f'{1 / ratio(whole, row.name, OURS, mode=row.mode):.1f}', *_picture_cells(row)]
             for row in whole]
    return (f'{whole[0].shape}:\n\n{markdown_table(HEADER, lines, words=2)}\n\n'
            f'{markdown_table(("step of ours", "for", "median"), _steps(rows), words=2)}')


def _picture_cells(row: Row) -> List[str]:
    if 'psnr_db' not in (row.facts or {}):
        return ['–', '–']
    return [f'{row.facts["psnr_db"]:.1f} dB', f'{row.facts["mean_difference"]:.2f} of 255']


def _steps(rows: Sequence[Row]) -> List[List[str]]:
    prefix = f'{OURS}: '
    return [[f'`{row.name.removeprefix(prefix)}`', row.mode.removeprefix(STEP), seconds(row.median_s)]
            for row in rows if row.mode.startswith(STEP) and row.name.startswith(prefix)]
