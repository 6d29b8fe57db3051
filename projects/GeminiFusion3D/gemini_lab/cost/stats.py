"""Counts parameters and multiply-adds of recipes, stage by stage, at their full size, on the CPU.

Each recipe predicts once for one sample: made-up images and a made-up cloud of ten sweeps, or a cloud
of your own. Dense parts cost the same for every sample; sparse convolutions are counted from the voxel
pairs of this cloud, and the splat from the pixels that fall into the grid. Without recipes, all below
configs/ are counted, except those of the comparison.

Example:
    gemini3d stats configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py
    gemini3d stats --points sweep_0.bin sweep_1.bin --json work_dirs/model_stats.json
    gemini3d stats --readme docs/recipes.md
"""
import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, Optional

from geminifusion3d.atomic import write_json

from ..markdown_block import write_block

if TYPE_CHECKING:
    from torch import Tensor

    from .model_cost import StageCost

REPO = Path(__file__).resolve().parents[4]
BLOCK = 'model-stats'
CAPTION = ('Parameters / multiply-adds of one prediction of one sample, by `gemini3d stats`: '
           'convolutions, linear layers, attention products and the splat, up to the head\'s maps. Sparse '
           'convolutions are counted from the voxel pairs of {cloud}.')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds which recipes, the cloud, and where the numbers go."""
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help='recipes')
    parser.add_argument('--points', nargs='+', type=Path, metavar='BIN',
                        help='nuScenes point files, put together as they are, instead of the made-up cloud')
    parser.add_argument('--json', type=Path, help='file for every number')
    parser.add_argument('--readme', type=Path, help=f'file whose block {BLOCK} the table goes to')


def all_recipes() -> List[str]:
    """Lists the recipes of the tree."""
    # KITTI's detector is mmdet3d's, whose stages have other names.
    left_out = {'_base_', 'compare', 'kitti'}
    return [str(path.relative_to(REPO)) for path in sorted((REPO / 'configs').rglob('*.py'))
            if not left_out & set(path.parts)]


def count_recipe(config: str, points: 'Optional[Tensor]') -> 'List[StageCost]':
    """Builds a recipe's model and counts it."""
    from mmdet3d.registry import MODELS
    from mmengine.registry import init_default_scope

    from geminifusion3d.engine.config_file import check_sections, load_config
    from geminifusion3d.engine.mistakes import config_mistakes

    from .model_cost import count_costs, without_weights
    from .typical_batch import make_typical_batch
    cfg = load_config(config)
    check_sections(cfg, ['model', 'test_dataloader'])
    with config_mistakes(config):
        init_default_scope('mmdet3d')
        return count_costs(MODELS.build(without_weights(cfg.model)), make_typical_batch(cfg, points=points))


def run(args: argparse.Namespace) -> None:
    """Counts, prints and writes."""
    from .stats_table import stage_lines, stats_table
    from .typical_batch import read_cloud
    points = read_cloud(args.points) if args.points else None
    costs: 'Dict[str, List[StageCost]]' = {}
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
