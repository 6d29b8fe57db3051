"""GeminiFusion beside what else makes one BEV map of two, over a growing number of cells.

Inference, and training steps: forward and backward to the two maps and all weights. A contestant whose next
larger map would take longer than --longest seconds per call, as its growth so far tells, is left out there.
"""
from argparse import Namespace
from typing import Dict, List, Set, Tuple

import torch
from torch import Tensor

from geminifusion3d.errors import UserError

from ...cost.model_cost import multiply_adds
from ..contest import Entrant, run_contest
from ..fusers import HEADS, WHOLE, build_fusers, includes, inference_call, training_call
from ..fusion_tables import Point, chart_files, fusion_markdown, predicted
from ..rows import Row

DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}
MODES = {'inference': inference_call, 'training step': training_call}
EXCLUDES = 'making the maps; the update of the weights'

markdown, charts = fusion_markdown, chart_files


def run(arguments: Namespace) -> List[Row]:
    """Measures every contestant for each number of channels, multiples of the heads, and of cells."""
    odd = [channels for channels in arguments.channels if channels % HEADS]
    if odd:
        raise UserError(f'--channels got {odd[0]}; expected multiples of {HEADS}, the attention heads')
    rows: List[Row] = []
    for channels in arguments.channels:
        for mode in arguments.modes:
            seen: Dict[str, List[Point]] = {}
            left_out: Set[str] = set()
            for cells in sorted(arguments.cells):
                entrants = _entrants(arguments, channels, cells, mode, seen, left_out)
                measured = run_contest(entrants, arguments)
                for row in measured:
                    seen.setdefault(row.name, []).append((cells, row.median_s))
                rows += measured
    return rows


def shape_yx(cells: int) -> Tuple[int, int]:
    """Returns rows and columns of a map, as square as whole numbers allow."""
    rows = next(rows for rows in range(int(cells ** 0.5), 0, -1) if cells % rows == 0)
    return rows, cells // rows


def make_maps(channels: int, cells: int, device: torch.device, dtype: torch.dtype) -> List[Tensor]:
    """Returns a camera map and a LiDAR map (1, C, Y, X), channels-last in memory."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(2, 1, *shape_yx(cells), channels, generator=generator)
    return [bev.to(device=device, dtype=dtype).permute(0, 3, 1, 2) for bev in numbers]


def _entrants(arguments: Namespace, channels: int, cells: int, mode: str, seen: Dict[str, List[Point]],
              left_out: Set[str]) -> List[Entrant]:
    """Builds the contestants that are not too slow for so many cells."""
    dtype = DTYPES[arguments.dtype]
    maps = make_maps(channels, cells, arguments.device, dtype)
    entrants = []
    for name, build in build_fusers(channels).items():
        if arguments.only and not any(word in name for word in arguments.only):
            continue
        expected_s = predicted(seen.get(name, []), cells, power=2.0 if name == WHOLE else 1.0)
        if name in left_out or expected_s is not None and expected_s > arguments.longest:
            if name not in left_out:
                print(f'{name}, {mode}, C = {channels}: left out from {cells} cells on, where a call would '
                      f'take about {expected_s:.0f} s', flush=True)
            left_out.add(name)
            continue
        torch.manual_seed(0)
        call = MODES[mode](build().to(maps[0]), maps)
        entrants.append(Entrant(
            name=name, call=call, shape=f'{cells} x {channels}', dtype=arguments.dtype,
            macs=multiply_adds(call), mode=mode, includes=includes(name), excludes=EXCLUDES,
            facts=dict(cells=cells, channels=channels)))
    return entrants
