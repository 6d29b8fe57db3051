"""The fusion operator beside what else makes one BEV map of two, over a growing number of cells."""
from argparse import ArgumentParser, Namespace
from typing import List

import torch

from ..arguments import DTYPES, dtype_named
from ..contest import Entrant, run_contest
from ..rows import Row

HELP = 'GeminiFusion, its plain formula, convolution, addition, cross-attention'
EXAMPLE = 'python tools/benchmark.py fusion --channels 128 --cells 1024 32400'


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of this sub-command."""
    parser.add_argument('--channels', type=int, nargs='+', default=[128, 256], metavar='C',
                        help='default: 128 256')
    parser.add_argument('--cells', type=int, nargs='+', default=[32400], metavar='N',
                        help='cells of the map')
    parser.add_argument('--dtype', choices=list(DTYPES), default='float32', help='default: float32')


def run(arguments: Namespace) -> List[Row]:
    """Measures."""
    from ...fusion.add_fuser import GeminiAddFuser
    from ...fusion.gemini_fusion import GeminiFusion
    rows: List[Row] = []
    for channels in arguments.channels:
        for cells in arguments.cells:
            side = round(cells ** 0.5)
            camera, lidar = torch.randn(2, 1, channels, side, side, device=arguments.device,
                                        dtype=dtype_named(arguments.dtype))
            fusers = [GeminiFusion(channels=channels), GeminiAddFuser(channels=channels)]
            rows += run_contest([
                Entrant(name=type(fuser).__name__, shape=f'{side * side} x {channels}', dtype=arguments.dtype,
                        call=lambda fuser=fuser.to(camera): fuser(camera, lidar)) for fuser in fusers],
                arguments)
    return rows
