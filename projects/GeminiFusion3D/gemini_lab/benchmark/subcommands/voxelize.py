"""Points to voxel features beside mmcv's hard voxelisation, on a made-up cloud of ten sweeps.

Ours finds the voxels of all points and averages each voxel. mmcv's operator, which runs on one core of a CPU,
copies the first points of the first voxels; its reading of their mean (HardSimpleVFE in mmdet3d) is left out.
"""
from argparse import Namespace
from typing import Any, Callable, List, Sequence, Tuple

from torch import Tensor

from ...text_table import markdown_table
from ..contest import Entrant, run_contest
from ..rows import Row, cells, ratio

# The grid of the 0.075 m recipes, and the limits of mmdet3d's BEVFusion in training and evaluation.
RANGE_M, VOXEL_M, N_VOXELS = (-54.0, -54.0, -5.0, 54.0, 54.0, 3.0), (0.075, 0.075, 0.2), (1440, 1440, 40)
MAX_POINTS, MAX_VOXELS = 10, (120_000, 160_000)
OURS, OURS_HARD, MMCV = 'ours: mean of all points', 'ours: first points of first voxels', 'mmcv: hard voxels'


def run(arguments: Namespace) -> List[Row]:
    """Measures every contestant on the same cloud."""
    from ...cost.typical_batch import make_typical_cloud
    cloud = make_typical_cloud(arguments.sweeps).to(arguments.device)
    grouped = _grouped(cloud)
    facts = dict(points_inside=len(grouped.points), voxels=len(grouped.coordinates_bzyx))
    shape = f'{len(cloud)} points, {facts["voxels"]} voxels'
    excludes = 'reading and moving the sweeps, the encoder behind'
    return run_contest([
        Entrant(name=name, call=call, shape=shape, includes=includes, excludes=excludes, facts=facts,
                measure_memory=name != MMCV)
        for name, call, includes in _contestants(cloud)], arguments)


def markdown(rows: Sequence[Row]) -> str:
    """Returns the README's table.

    Args:
        rows: as `run` returns them.
    """
    header = ('contestant', 'median', 'spread', 'peak memory', f'against "{MMCV}"')
    lines = []
    for row in rows:
        _, _, _, _, median, spread, peak, _ = cells(row)
        has_mmcv = row.name != MMCV and any(other.name == MMCV for other in rows)
        lines.append([row.name, median, spread, peak,
                      f'{ratio(rows, row.name, MMCV):.1f} × as fast' if has_mmcv else ''])
    return f'{rows[0].shape}.\n\n' + markdown_table(header, lines)


def _contestants(cloud: Tensor) -> List[Tuple[str, Callable[[], Any], str]]:
    """Returns names, calls and what they include; mmcv's operator only where the cloud is on a CPU."""
    from geminifusion3d.ops.hard_voxels import keep_first
    from geminifusion3d.ops.voxel_groups import mean_per_voxel

    def ours() -> Tensor:
        grouped = _grouped(cloud)
        return mean_per_voxel(grouped.points, grouped)

    def ours_hard() -> Tensor:
        grouped = keep_first(_grouped(cloud), MAX_POINTS, MAX_VOXELS[1])
        return mean_per_voxel(grouped.points, grouped)

    found = [(OURS, ours, 'range check, voxels of all points, their means'),
             (OURS_HARD, ours_hard, "the same within mmcv's limits on points and voxels")]
    if cloud.device.type == 'cpu':
        from mmcv.ops import Voxelization
        hard = Voxelization(VOXEL_M, RANGE_M, MAX_POINTS, MAX_VOXELS).eval()
        found.append((MMCV, lambda: hard(cloud), 'range check, first points of first voxels; no mean'))
    return found


def _grouped(cloud: Tensor) -> Any:
    from geminifusion3d.ops.voxel_groups import group_points
    return group_points([cloud], RANGE_M, VOXEL_M, N_VOXELS)
