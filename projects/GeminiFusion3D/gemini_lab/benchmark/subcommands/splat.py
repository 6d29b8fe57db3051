"""The splat beside what sums the same by materialising a feature for every pixel and depth bin.

Cameras, pictures and grid are those of BEVFusion on nuScenes; every contestant sums the same pairs.
Inference, and forward with backward to features and depths. The time that it takes to find the pairs' cells
from the calibration stands in a row of its own, and in no other.
"""
from argparse import Namespace
from typing import Any, Callable, List, Sequence

import torch
from torch import Tensor

from ...text_table import markdown_table
from ..contest import Entrant, run_contest
from ..rows import Row, cells, ratio

MODES = ('inference', 'forward and backward')
GEOMETRY, FLOOR = 'cells from the calibration', 'an empty map'
REFERENCES = ('materialise, index_add', 'materialise, index_add, spare row')
OURS = ('ours, plan kept', 'ours')


def run(arguments: Namespace) -> List[Row]:
    """Measures every contestant in every mode."""
    from ..splatting import contestants, make_lifted
    lifted = make_lifted(depth_bins=arguments.depth_bins, stride=arguments.stride,
                         channels=arguments.channels, cells=arguments.cells, device=arguments.device)
    rows, cameras = lifted.feature_hw[0], lifted.rig.is_present.shape[1]
    shape = (f'{cameras} x {arguments.depth_bins} x {rows} x {lifted.feature_hw[1]} x {arguments.channels} '
             f'into {arguments.cells} x {arguments.cells}')
    pairs = int((lifted.cells >= 0).sum())
    found: List[Row] = []
    for mode in arguments.modes:
        features, weights = (tensor.requires_grad_(mode != MODES[0])
                             for tensor in (lifted.features, lifted.weights))
        macs = pairs * arguments.channels * (1 if mode == MODES[0] else 3)
        entrants = [Entrant(name=name, call=_call(pool, features, weights), shape=shape, macs=macs, mode=mode,
                            includes=includes, excludes='finding the cells of the pairs',
                            facts=dict(pairs_inside=pairs))
                    for name, (pool, includes) in contestants(lifted).items()]
        if mode == MODES[0]:
            entrants += [
                Entrant(name=GEOMETRY, call=lifted.lift, shape=shape, mode=mode,
                        includes='pixels to positions, positions to cells', excludes='summing'),
                Entrant(name=FLOOR, shape=shape, mode=mode, includes='allocating and zeroing the map',
                        call=lambda: lifted.features.new_zeros(lifted.n_cells, arguments.channels))]
        found += run_contest(entrants, arguments)
    return found


def markdown(rows: Sequence[Row]) -> str:
    """Returns the page's table, with ratios to both references."""
    references = [f'against "{name}"' for name in REFERENCES]
    header = ('contestant', 'mode', 'median', 'spread', 'peak memory', *references)
    lines = []
    for row in rows:
        _, mode, _, _, median, spread, peak, _ = cells(row)
        against = [f'{ratio(rows, row.name, name, mode=mode):.1f} × as fast, '
                   f'{100 / ratio(rows, row.name, name, of="peak_bytes", mode=mode):.0f} % of the memory'
                   if row.name in OURS else '' for name in REFERENCES]
        lines.append([row.name, mode, median, spread, peak, *against])
    return (f'{rows[0].shape}: cameras x depth bins x rows x columns x channels into cells.\n\n'
            + markdown_table(header, lines, words=2))


def _call(pool: Callable[..., Tensor], features: Tensor, weights: Tensor) -> Callable[[], Any]:
    """Returns a call without arguments: forward, and backward where gradients are wanted."""
    if not features.requires_grad:
        return lambda: pool(features, weights)
    with torch.no_grad():
        upstream = torch.randn(pool(features, weights).shape, generator=torch.Generator().manual_seed(1))
    upstream = upstream.to(features.device)
    return lambda: torch.autograd.grad(pool(features, weights), (features, weights), upstream)
