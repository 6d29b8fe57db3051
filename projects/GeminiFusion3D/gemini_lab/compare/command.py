"""Compares LiDAR-only, camera-only and fused models on the synthetic world, several seeds each.

The models are the recipes of configs/compare. Steps: generate the world, convert it, then train and score
every model with every seed, several side by side. Ctrl-C or a kill loses at most an epoch of each training
at work: the same command continues. Runs of the same recipe, data and code that docs/compare.json already
lists are not made again. Table and plot are written into a Markdown file and every single run into
docs/compare.json at the end, and after an interruption by --render-only.

Example:
    gemini3d compare
    gemini3d compare --only lidar gemini --seeds 0 --jobs 1
    gemini3d compare --render-only
"""
import argparse
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence

from geminifusion3d.atomic import locked_folder, write_json, write_whole
from geminifusion3d.commands.arguments import at_least
from geminifusion3d.errors import UserError

from ..jobs import PACKAGE, Step, run_steps
from ..markdown_block import check_block, write_block
from .queue import make_all
from .runs import COSTLY, adopt, all_variants, choose, make_run, read_list, runs_in, size_of

REPO = Path(__file__).resolve().parents[4]
DATA = Path('data') / 'compare'
VERSION = 'v1.0-trainval'
WORLD = ('--scenes=48', '--samples-per-scene=5', '--seed=0')
WORKER = 'gemini_lab.compare.train_and_score'
BLOCK, RUNS_FILE, PLOT_FILE = 'compare', 'compare.json', 'compare.svg'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds which runs, and where everything goes."""
    parser.add_argument('--only', nargs='+', default=[], metavar='MODEL',
                        help='only these recipes of configs/compare, such as lidar gemini; default: all but '
                             + ' '.join(COSTLY))
    parser.add_argument('--readme', type=Path, default=REPO / 'docs' / 'comparison.md',
                        help='file with the block that the table goes to; default: docs/comparison.md')
    add_runs(parser, seeds=3, work_dir='compare')


def add_runs(parser: argparse.ArgumentParser, *, seeds: int, work_dir: str) -> None:
    """Adds how many runs, and where they and their list go."""
    parser.add_argument('--seeds', nargs='+', type=int, default=list(range(seeds)), metavar='SEED',
                        help=f'default: 0 to {seeds - 1}')
    parser.add_argument('--jobs', type=at_least(1), default=os.cpu_count(),
                        help='runs side by side, one thread each; default: one per core')
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs' / work_dir,
                        help='where checkpoints, logs and results go')
    parser.add_argument('--render-only', action='store_true',
                        help='write tables, plot and runs from what is there; train nothing')
    parser.add_argument('--docs', type=Path, default=REPO / 'docs',
                        help='folder for the plot and the list of runs')


def data_steps(folder: Path = DATA, world: Sequence[str] = WORLD, prefix: str = '') -> List[Step]:
    """Returns a world and its conversion."""
    infos = tuple(folder / f'geminifusion3d_infos_{split}.pkl' for split in ('train', 'val'))
    gemini3d = (sys.executable, '-m', 'geminifusion3d')
    return [
        Step(f'{prefix}generate', (*gemini3d, 'synthetic', '--out', str(folder), '--version', VERSION,
                                   *world),
             sources=(PACKAGE.parent / 'gemini_lab' / 'synthetic',),
             outputs=(folder / VERSION / 'sample.json',),
             stale=(folder / VERSION, folder / '.synthetic' / VERSION)),
        Step(f'{prefix}convert', (*gemini3d, 'convert', '--dataroot', str(folder), '--version', VERSION,
                                  # At the keyframe only: the world has no sweeps of radars.
                                  '--radar-sweeps', '0'),
             sources=tuple(PACKAGE / name for name in ('data_converters', 'geometry', 'sensors',
                                                       'nuscenes_facts.py')), outputs=infos)]


def render(results: List[Dict[str, Any]], args: argparse.Namespace, facts: Dict[str, Any]) -> None:
    """Writes the list of runs, the plot and the block of the Markdown file."""
    from .table import markdown_table, processor_marks, summarise, svg_plot
    rows = summarise(results, {variant.name: variant.label for variant in all_variants()})
    write_json(args.docs / RUNS_FILE, dict(facts=facts, runs=results), indent=1)
    write_whole(args.docs / PLOT_FILE, svg_plot(rows))
    folder = os.path.relpath(args.docs, args.readme.parent)
    write_block(args.readme, BLOCK, '\n\n'.join([
        markdown_table(rows), f'![mAP of each model]({os.path.normpath(os.path.join(folder, PLOT_FILE))})',
        caption(facts, processor_marks(rows), os.path.normpath(os.path.join(folder, RUNS_FILE)))]))
    print(markdown_table(rows))


def caption(facts: Dict[str, Any], processors: Dict[str, str], runs: str) -> str:
    """Returns what the numbers are."""
    timed_on = ', '.join(name + mark for name, mark in processors.items())
    return (f'mAP and NDS by nuscenes-devkit on {facts["val_keyframes"]} keyframes of {facts["val_scenes"]} '
            f'scenes that training never saw; every model learned from the same {facts["train_keyframes"]} '
            f'keyframes in {facts["steps"]} steps; mean ± standard deviation over the seeds. A black camera '
            'is not announced to the model; an empty cloud is. Multiply-adds of one prediction; seconds of '
            f'one thread of {timed_on}. Every single run: [{RUNS_FILE}]({runs}).')


def read_budget(config: Path) -> Dict[str, Any]:
    """Returns keyframes and scenes of both splits, and the steps of a training."""
    from mmengine.config import Config
    cfg = Config.fromfile(config)
    facts = {f'{split}_{name}': count
             for split, loader in (('train', cfg.train_dataloader), ('val', cfg.test_dataloader))
             for name, count in size_of(loader.dataset).items()}
    batch_size = cfg.train_dataloader.batch_size
    facts['steps'] = facts['train_keyframes'] // batch_size * cfg.train_cfg.max_epochs
    return facts


def train_all(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """Brings data and runs up to date; returns the results of all runs of the work directory.

    UserError if a run fails; the others are made all the same.
    """
    run_steps(data_steps(), args.work_dir / 'steps')
    wanted = [make_run(variant, seed, args.work_dir) for seed in args.seeds for variant in choose(args.only)]
    adopt_listed_runs(args)
    make_all(wanted, args.jobs, WORKER)
    return results_there(args)


def adopt_listed_runs(args: argparse.Namespace) -> None:
    """Takes over the runs that an earlier comparison, perhaps on another machine, wrote to docs."""
    listed = read_list(args.docs / RUNS_FILE)['runs']
    known = {(result['variant'], result['seed']) for result in listed}
    adopt([make_run(variant, seed, args.work_dir) for variant in all_variants()
           for name, seed in sorted(known) if name == variant.name], listed)


def results_there(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """Returns the results of the work directory that belong to the recipes and data as they are.

    The code may have changed since: each result says in its identity which it came from.
    """
    results = [make_run(variant, seed, args.work_dir).result(ignored=('code',))
               for variant in all_variants() for name, seed in runs_in(args.work_dir) if name == variant.name]
    return [result for result in results if result is not None]


def run(args: argparse.Namespace) -> None:
    """Trains, scores and writes."""
    args.work_dir, args.docs, args.readme = (
        path.absolute() for path in (args.work_dir, args.docs, args.readme))
    os.chdir(REPO)
    budget_recipe = choose(args.only)[0].config
    check_block(args.readme, BLOCK)
    if not args.render_only:
        with locked_folder(args.work_dir):
            results, facts = train_all(args), read_budget(budget_recipe)
    elif runs_in(args.work_dir):
        results, facts = results_there(args), read_budget(budget_recipe)
    else:
        path = args.docs / RUNS_FILE
        if not path.is_file():
            raise UserError(f'nothing to render: no results in {args.work_dir} and no {path}; train first')
        listed = read_list(path)
        results, facts = listed['runs'], listed['facts']
    if not results:
        raise UserError(f'the results in {args.work_dir} belong to other recipes or other data; train again')
    render(results, args, facts)
