"""Compares LiDAR-only, camera-only and fused models on the synthetic world, several seeds each.

Steps: generate the world, convert it, then train and score every model with every seed, several side
by side. Ctrl-C or a kill loses at most an epoch of each training at work: the same command continues.
Runs of the same recipe and data that docs/compare.json already lists are not made again. The table and
the plot in README.md and every single run in docs/compare.json are written at the end, and after an
interruption by --render-only.

Example:
    python tools/compare.py
    python tools/compare.py --only lidar gemini --seeds 0 --jobs 1
    python tools/compare.py --render-only
"""
import argparse
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from geminifusion3d.atomic import atomic_write, write_json
from geminifusion3d.cli import run_cli
from .plot import svg_plot
from .queue import Queue
from .run import LOG_FILE, Run, adopt, make_run
from .summary import summarise
from .table import markdown_table, processor_marks
from .variants import VARIANTS, choose
from geminifusion3d.errors import UserError
from geminifusion3d.folder_lock import locked_folder
from ..markdown_block import write_block
from geminifusion3d.jobs import Step, run_steps

REPO = Path(__file__).resolve().parents[4]
DATA = Path('data') / 'compare'
VERSION = 'v1.0-trainval'
WORLD = ('--scenes=48', '--samples-per-scene=5', '--seed=0')
WORKER = 'gemini_lab.compare.train_and_score'
BLOCK, RUNS_FILE, PLOT_FILE = 'compare', 'compare.json', 'compare.svg'


def parse_args(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', nargs='+', default=[], metavar='MODEL',
                        help='only some of: ' + ' '.join(variant.name for variant in VARIANTS) + '; default: '
                             'all but ' + ' '.join(one.name for one in VARIANTS if one.is_costly))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='SEED',
                        help='default: 0 1 2')
    parser.add_argument('--jobs', type=int, default=os.cpu_count(),
                        help='trainings side by side, one thread each; default: one per core')
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs' / 'compare',
                        help='where checkpoints, logs and results go')
    parser.add_argument('--render-only', action='store_true',
                        help='write table, plot and runs from what is there; train nothing')
    parser.add_argument('--readme', type=Path, default=REPO / 'README.md',
                        help='file with the block that the table goes to')
    parser.add_argument('--docs', type=Path, default=REPO / 'docs',
                        help='folder for the plot and the list of runs')
    args = parser.parse_args(arguments)
    if args.jobs < 1:
        raise UserError(f'got --jobs {args.jobs}, expected 1 or more')
    choose(args.only)
    args.work_dir, args.docs, args.readme = (
        path.absolute() for path in (args.work_dir, args.docs, args.readme))
    return args


def data_steps() -> List[Step]:
    """Returns the world and its conversion."""
    converters, tools = REPO / 'data_converters', REPO / 'tools'
    infos = tuple(DATA / f'geminifusion3d_infos_{split}.pkl' for split in ('train', 'val'))
    return [
        Step('generate', (sys.executable, str(tools / 'create_synthetic.py'), '--out', str(DATA),
                          '--version', VERSION, *WORLD),
             sources=(converters / 'synthetic', tools / 'create_synthetic.py'),
             outputs=(DATA / VERSION / 'sample.json',),
             stale=(DATA / VERSION, DATA / '.synthetic' / VERSION)),
        Step('convert', (sys.executable, str(tools / 'create_data.py'), 'nuscenes', '--root-path',
                         str(DATA), '--version', VERSION, '--out-dir', str(DATA)),
             sources=(*sorted(converters.glob('*.py')), tools / 'create_data.py'), outputs=infos)]


def launcher(jobs: int) -> Any:
    """Returns what starts a run in a process of its own, which finds the imports already done."""
    for library in ('OMP', 'MKL', 'OPENBLAS'):
        os.environ[f'{library}_NUM_THREADS'] = '1'
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([WORKER, 'geminifusion3d.registered'])
    cores = sorted(os.sched_getaffinity(0))

    def launch(run: Run, place: int) -> Any:
        from .train_and_score import work
        core = cores[place] if jobs <= len(cores) else None
        process = context.Process(target=work, args=(run, core))
        process.start()
        return process
    return launch


def render(results: List[Dict[str, Any]], args: argparse.Namespace, facts: Dict[str, Any]) -> None:
    """Writes the list of runs, the plot and the README's block.

    Args:
        results: of all runs.
        args: the command line.
        facts: the budget.
    """
    rows = summarise(results, VARIANTS)
    labels = {variant.name: variant.label for variant in VARIANTS}
    runs = {row.label: [result['scores']['all']['mAP'] for result in results
                        if labels[result['variant']] == row.label] for row in rows}
    write_json(args.docs / RUNS_FILE, dict(facts=facts, runs=results), indent=1)
    with atomic_write(args.docs / PLOT_FILE) as part:
        part.write_text(svg_plot(rows, runs))
    write_block(args.readme, BLOCK, '\n\n'.join([
        markdown_table(rows), f'![mAP of each model](docs/{PLOT_FILE})',
        caption(facts, processor_marks(rows))]))
    print(markdown_table(rows))


def caption(facts: Dict[str, Any], processors: Dict[str, str]) -> str:
    """Returns what the numbers are.

    Args:
        facts: the budget.
        processors: what steps were timed on, and their marks in the table.
    """
    timed_on = ', '.join(name + mark for name, mark in processors.items())
    return (f'mAP and NDS by nuscenes-devkit on {facts["val_keyframes"]} keyframes of '
            f'{facts["val_scenes"]} scenes that training never saw; every model learned from the same '
            f'{facts["train_keyframes"]} keyframes in {facts["steps"]} steps; mean ± standard deviation '
            f'over the seeds. A black camera is not announced to the model; an empty cloud is. '
            f'Multiply-adds of one prediction; seconds of one thread of {timed_on}. Every single run: '
            f'[docs/{RUNS_FILE}](docs/{RUNS_FILE}).')


def collect_facts() -> Dict[str, Any]:
    """Returns the budget as it is here and now."""
    from .budget import read_budget
    return read_budget(choose(['gemini'])[0].config)


def train_all(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """Brings data and runs up to date; returns the results of all runs of the work directory.

    Raises:
        UserError: if a run fails; the others are made all the same.
    """
    run_steps(data_steps(), args.work_dir / 'steps')
    variants = choose(args.only)
    wanted = [make_run(variant, seed, args.work_dir) for seed in args.seeds for variant in variants]
    adopt_kept_runs(args)
    failed = Queue(runs=wanted, jobs=args.jobs, launch=launcher(args.jobs)).work()
    if failed:
        logs = '\n'.join(f'  {run.folder / LOG_FILE}' for run in failed)
        raise UserError(f'{len(failed)} of {len(wanted)} runs failed, the rest is done; the end of these '
                        f'logs says why, and the same command tries again:\n{logs}')
    return results_there(args)


def adopt_kept_runs(args: argparse.Namespace) -> None:
    """Takes over the runs that an earlier comparison, perhaps on another machine, wrote to docs."""
    path = args.docs / RUNS_FILE
    kept = json.loads(path.read_text())['runs'] if path.is_file() else []
    listed = {(result['variant'], result['seed']) for result in kept}
    adopt([make_run(variant, seed, args.work_dir) for variant in VARIANTS
           for name, seed in sorted(listed) if name == variant.name], kept)


def results_there(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """Returns the results of the work directory that belong to the recipes and data as they are."""
    paths = sorted(args.work_dir.glob('*/seed*/result.json'))
    seeds = sorted({int(path.parent.name[4:]) for path in paths})
    results = [make_run(variant, seed, args.work_dir).result() for variant in VARIANTS for seed in seeds
               if (args.work_dir / variant.name / f'seed{seed}' / 'result.json').is_file()]
    return [result for result in results if result is not None]


def main() -> None:
    """Trains, scores and writes."""
    args = parse_args()
    os.chdir(REPO)
    if not args.render_only:
        with locked_folder(args.work_dir):
            results, facts = train_all(args), collect_facts()
    elif list(args.work_dir.glob('*/seed*/result.json')):
        results, facts = results_there(args), collect_facts()
    else:
        path = args.docs / RUNS_FILE
        if not path.is_file():
            raise UserError(f'nothing to render: no results in {args.work_dir} and no {path}; train first')
        kept = json.loads(path.read_text())
        results, facts = kept['runs'], kept['facts']
    if not results:
        raise UserError(f'the results in {args.work_dir} belong to other recipes or other data; train again')
    render(results, args, facts)


if __name__ == '__main__':
    run_cli(main)
