"""Counts parameters and multiply-adds of recipes, stage by stage, at their full size, on the CPU.

Each recipe predicts once for one sample: made-up images and a made-up cloud of ten sweeps, or a cloud
of your own. Dense parts cost the same for every sample; sparse convolutions are counted from the voxel
pairs of this cloud, and the splat from the pixels that fall into the grid. Without recipes, all below
configs/ are counted, except those of the comparison.

Example:
    python tools/model_stats.py configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py
    python tools/model_stats.py --points sweep_0.bin sweep_1.bin --json work_dirs/model_stats.json
    python tools/model_stats.py --readme README.md
"""
import argparse
import gc
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from geminifusion3d.atomic import write_json
from geminifusion3d.cli import run_cli
from geminifusion3d.engine.config_file import load_config
from geminifusion3d.engine.mistakes import config_mistakes
from .typical_batch import make_typical_batch
from geminifusion3d.errors import UserError
from ..markdown_block import write_block
from .model_cost import StageCost, count_costs
from .stats_table import stage_lines, stats_table

REPO = Path(__file__).resolve().parents[4]
BLOCK = 'model-stats'
FLOATS_PER_POINT = 5
CAPTION = ('Parameters / multiply-adds of one prediction of one sample, by `tools/model_stats.py`: '
           'convolutions, linear layers, attention products and the splat, up to the head\'s maps. Sparse '
           'convolutions are counted from the voxel pairs of {cloud}.')


def parse_args(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help='recipes')
    parser.add_argument('--points', nargs='+', type=Path, metavar='BIN',
                        help='nuScenes point files, put together as they are, instead of the made-up cloud')
    parser.add_argument('--json', type=Path, help='file for every number')
    parser.add_argument('--readme', type=Path, help=f'file whose block {BLOCK} the table goes to')
    return parser.parse_args(arguments)


def all_recipes() -> List[str]:
    """Lists the recipes of the tree."""
    left_out = {'_base_', 'compare'}
    return [str(path.relative_to(REPO)) for path in sorted((REPO / 'configs').rglob('*.py'))
            if not left_out & set(path.parts)]


def read_points(paths: List[Path]) -> torch.Tensor:
    """Returns (N, 5) points of several files; the ring number becomes an age of zero.

    Raises:
        UserError: if a file is absent or no point file.
    """
    clouds = []
    for path in paths:
        if not path.is_file() or path.stat().st_size % (4 * FLOATS_PER_POINT):
            raise UserError(f'{path} is no point file; expected {FLOATS_PER_POINT} float32 numbers a point')
        clouds.append(np.fromfile(path, dtype='<f4').reshape(-1, FLOATS_PER_POINT))
    points = torch.from_numpy(np.concatenate(clouds))
    points[:, 4] = 0
    return points


def count_recipe(config: str, points: Optional[torch.Tensor]) -> List[StageCost]:
    """Builds a recipe's model and counts it.

    Args:
        config: the recipe.
        points: the cloud; None for the made-up one.
    """
    cfg: Config = load_config(config)
    for name in ('model', 'test_dataloader'):
        if cfg.get(name) is None:
            raise UserError(f'config {config} has no {name}: pass a whole recipe')
    with config_mistakes(config):
        init_default_scope('mmdet3d')
        return count_costs(MODELS.build(_without_weights(cfg.model)), make_typical_batch(cfg, points=points))


def _without_weights(node: Any) -> Any:
    """Returns a model's config without the weights to start from: they do not matter here."""
    if isinstance(node, dict):
        return {key: _without_weights(value) for key, value in node.items() if key != 'init_cfg'}
    return [_without_weights(value) for value in node] if isinstance(node, (list, tuple)) else node


def main() -> None:
    """Counts, prints and writes."""
    args = parse_args()
    points = read_points(args.points) if args.points else None
    costs: Dict[str, List[StageCost]] = {}
    for config in args.configs or all_recipes():
        name = Path(config).stem
        print(f'{name}\n{"":<28}{"parameters":>10}{"mult-adds":>10}', flush=True)
        costs[name] = count_recipe(config, points)
        print('\n'.join(stage_lines(costs[name])), flush=True)
        gc.collect()
    if args.json:
        write_json(args.json, {name: [vars(cost) for cost in stages] for name, stages in costs.items()},
                   indent=1)
    table = stats_table(costs)
    print(table)
    if args.readme:
        cloud = 'the given cloud' if args.points else 'a made-up cloud of ten sweeps in a street'
        write_block(args.readme, BLOCK, f'{table}\n\n{CAPTION.format(cloud=cloud)}')


if __name__ == '__main__':
    run_cli(main)
