"""Info files and ground-truth database, seconds per 1000 keyframes, beside mmdet3d's create_data.py.

Both convert the same dataset in turns, each time in a process of its own that starts with everything
imported and compiled, files in the page cache.
"""
import json
import statistics
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Dict, List, Sequence

from geminifusion3d.errors import UserError

from ...text_table import markdown_table
from ..contest import quartile_spread
from ..converters import (DATABASE, INFOS, OURS, SPLITS, Conversion, our_conversions,
                          their_conversions)
from ..own_process import seconds_in_own_process
from ..rows import Row, ratio, seconds

EXCLUDES = 'imports, compilation by numba, the first reading of a file from the disk'


def run(arguments: Namespace) -> List[Row]:
    """Measures every converter; `seconds_per_1000` is among a row's facts."""
    samples = count_samples(arguments.dataroot, arguments.version)
    with tempfile.TemporaryDirectory(prefix='convert-') as name:
        ours, theirs = Path(name, 'ours'), Path(name, 'theirs')
        conversions = our_conversions(arguments.dataroot.resolve(), arguments.version, ours,
                                      arguments.workers)
        conversions += their_conversions(arguments.dataroot, arguments.version, theirs)
        return [row for work in (INFOS, DATABASE) if work in arguments.work
                for row in _contest([one for one in conversions if one.work == work], samples[work],
                                    arguments)]


def count_samples(root: Path, version: str) -> Dict[str, int]:
    """Returns how many keyframes each kind of work converts.

    Args:
        root: the dataset.
        version: its tables.

    Raises:
        UserError: if the tables cannot be read.
    """
    from nuscenes.utils.splits import create_splits_scenes
    try:
        scenes = json.loads((root / version / 'scene.json').read_text())
    except (OSError, ValueError) as error:
        raise UserError(f'cannot read {root / version / "scene.json"} ({error}); name a dataset with '
                        '--dataroot, or write one with gemini3d synthetic') from error
    training = create_splits_scenes()[SPLITS[version][0]]
    return {INFOS: sum(scene['nbr_samples'] for scene in scenes),
            DATABASE: sum(scene['nbr_samples'] for scene in scenes if scene['name'] in training)}


def markdown(rows: Sequence[Row]) -> str:
    """Returns the README's table.

    Args:
        rows: as `run` returns them.
    """
    lines = [[row.mode, row.name, f'{row.facts["seconds_per_1000"]:.2f} s', seconds(row.median_s),
              seconds(row.spread), _times(ratio(rows, OURS, row.name, mode=row.mode))] for row in rows]
    header = ('work', 'converter', 'per 1000 keyframes', 'median', 'spread', 'times the time of ours')
    return markdown_table(header, lines, words=2)


def _times(value: float) -> str:
    return f'{value:.0f}' if value >= 10 else f'{value:.2g}'


def _contest(conversions: Sequence[Conversion], samples: int, arguments: Namespace) -> List[Row]:
    times: List[List[float]] = [[] for _ in conversions]
    for turn in range(-arguments.warm_up, arguments.repeats):
        for conversion, its_times in zip(conversions, times):
            conversion.prepare()
            taken_s = seconds_in_own_process(conversion.call, conversion.folder)
            # Turns to warm up fill the page cache.
            if turn >= 0:
                its_times.append(taken_s)
    return [_row(conversion, its_times, samples) for conversion, its_times in zip(conversions, times)]


def _row(conversion: Conversion, times: Sequence[float], samples: int) -> Row:
    median_s = statistics.median(times)
    return Row(name=conversion.name, device='cpu', dtype='float64', shape=f'{samples} keyframes',
               median_s=median_s, spread=quartile_spread(times), mode=conversion.work, repeats=len(times),
               includes=conversion.includes, excludes=EXCLUDES,
               facts={'seconds_per_1000': 1000 * median_s / samples, 'workers': conversion.workers})
