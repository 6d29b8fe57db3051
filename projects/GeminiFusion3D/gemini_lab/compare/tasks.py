"""Four comparisons of a few models each, all with one budget and several seeds.

fusers: those that `gemini3d decide` puts first, trained end to end. sensors: cameras with LiDAR, with radar,
with both. map: IoU of map segmentation by sensors and fuser. kitti: MVX-Net, the control that adds picture
and points behind every layer, and GeminiFusion there.
Finished runs are kept, an unfinished one goes on from its last epoch. With --page the table goes into the
block of the task's name and every run into trained_TASK.json beside the page; runs that stand there already
stay beside new ones.

Example:
    gemini3d compare-tasks kitti --dataroot data/kitti_synthetic --page docs/kitti.md
"""
import argparse
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple

from geminifusion3d.atomic import locked_folder, write_json
from geminifusion3d.commands.arguments import at_least
from geminifusion3d.errors import UserError

from ..markdown_block import check_block, write_block
from .command import REPO

WORKER = 'gemini_lab.compare.task_run'
KITTI_CLASSES = ('Car', 'Pedestrian', 'Cyclist')
MAP_CLASSES = ('drivable_area', 'walkway', 'carpark_area', 'divider', 'ped_crossing', 'stop_line')


class Task(NamedTuple):
    """One comparison.

    Attributes:
        models: how the table calls each recipe, a path below configs/ without its ending.
        reference: the recipe that the others are compared with, seed by seed.
        epochs: of every training.
        columns: the name of each metric, by the head of its column; the first one is shown seed by seed.
        spec: how a metric is written.
    """

    models: Mapping[str, str]
    reference: str
    epochs: int
    columns: Mapping[str, str]
    spec: str


TASKS = {
    'fusers': Task(
        {f'compare/geminifusion3d_lidar-cam_{name}_compare': label for name, label in (
            ('add', 'addition'), ('conv', 'convolution'), ('gemini', 'GeminiFusion as published'),
            ('add-two-stream-neck', 'two streams, added in the neck'),
            ('gemini-two-stream-neck', 'GeminiFusion after every stage and in the neck'))},
        'geminifusion3d_lidar-cam_add_compare', 6, {'mAP': 'mAP', 'NDS': 'NDS'}, '.3f'),
    'sensors': Task(
        {f'compare/geminifusion3d_{name}_compare': label for name, label in (
            ('cam', 'cameras'), ('cam-radar_n-way', 'cameras, radars'), ('lidar-cam_n-way', 'cameras, LiDAR'),
            ('lidar-cam-radar_n-way', 'cameras, LiDAR, radars'))},
        'geminifusion3d_lidar-cam_n-way_compare', 2,
        {'mAP': 'mAP', 'NDS': 'NDS', 'velocity error (m/s)': 'mAVE', 'radars silent: Δ mAP': 'radar_delta'},
        '.3f'),
    'map': Task(
        {f'compare_map/geminifusion3d_{name}_compare-map': label for name, label in (
            ('cam', 'cameras'), ('lidar', 'LiDAR'), ('lidar-cam_add', 'both, added'),
            ('lidar-cam_gemini', 'both, GeminiFusion'))},
        'geminifusion3d_lidar-cam_add_compare-map', 2,
        {'mIoU': 'mIoU', **{name: f'{name}_IoU' for name in MAP_CLASSES}}, '.3f'),
    'kitti': Task(
        {f'kitti/{name}_tiny_kitti-synthetic': label for name, label in (
            ('mvxnet', 'MVX-Net: sum behind the last layer'),
            ('mvxnet-every-layer', 'control: sum behind every layer'),
            ('geminifusion_mvxnet', 'GeminiFusion behind every layer'))},
        'mvxnet-every-layer_tiny_kitti-synthetic', 2,
        {f'{name}, {strictness}': f'{name}_3D_AP40_moderate_{strictness}'
         for strictness in ('loose', 'strict') for name in KITTI_CLASSES}, '.1f')}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what to train, with which budget, and where everything goes."""
    parser.add_argument('task', choices=list(TASKS), help='which comparison')
    parser.add_argument('--dataroot', metavar='DIR', help='the converted world; default: as the recipes say')
    parser.add_argument('--models', nargs='+', metavar='NAME', default=[],
                        help='those whose recipe has one of these words in its name, such as mvxnet-every; '
                             'default: all of the task')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2], metavar='S', help='default: 0 1 2')
    parser.add_argument('--epochs', type=at_least(1), metavar='N',
                        help='the budget of every training; default: the task\'s')
    parser.add_argument('--jobs', type=at_least(1), default=1,
                        help='trainings side by side, one thread each; default: 1')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='where trainings go; default: work_dirs/compare_TASK')
    parser.add_argument('--page', type=Path, metavar='FILE', help='Markdown file with the block of the task')
    parser.add_argument('--table-only', action='store_true', help='train nothing: the table of what is there')


def run(args: argparse.Namespace) -> None:
    """Trains what is left to train, prints the table and writes it where it shall stand."""
    task = TASKS[args.task]
    names = [name for name in task.models
             if not args.models or any(word in Path(name).stem for word in args.models)]
    if not names:
        raise UserError(f'--models got {" ".join(args.models)}; expected words in '
                        f'{", ".join(Path(name).stem for name in task.models)}')
    listed: List[Dict[str, Any]] = []
    if args.page:
        from .runs import read_list
        check_block(args.page, args.task)
        listed_in = args.page.parent / f'trained_{args.task}.json'
        listed = read_list(listed_in)['runs']
    work_dir = (args.work_dir or Path('work_dirs') / f'compare_{args.task}').absolute()
    found = [] if args.table_only else _train(args, task, names, work_dir)
    if args.page:
        new = {(one['variant'], one['seed']) for one in found}
        found += [one for one in listed if (one['variant'], one['seed']) not in new]
    if not found:
        raise UserError(f'there is no run of {args.task} to show; leave --table-only out, or name the page '
                        'beside which trained_*.json lies with --page')
    text = table(task, found)
    print(text)
    if args.page:
        order = [Path(name).stem for name in task.models]
        found.sort(key=lambda one: (order.index(one['variant']), one['seed']))
        write_block(args.page, args.task, f'{text}\n\n{caption(found, listed_in.name)}')
        write_json(listed_in, dict(runs=found), indent=1)


def _train(args: argparse.Namespace, task: Task, names: List[str], work_dir: Path) -> List[Dict[str, Any]]:
    from .queue import make_all
    from .task_run import make_training
    overrides: Dict[str, Any] = dict(max_epochs=args.epochs or task.epochs)
    if args.dataroot:
        overrides['data_root'] = args.dataroot
    with locked_folder(work_dir):
        runs = [make_training(REPO / 'configs' / f'{name}.py', seed, work_dir, overrides)
                for seed in args.seeds for name in names]
        first = next(iter(task.columns.items()))
        make_all(runs, args.jobs, WORKER,
                 lambda result: f'{first[0]} {result["scores"][first[1]]:{task.spec}}')
        return [result for result in (one.result() for one in runs) if result is not None]


def table(task: Task, runs: List[Dict[str, Any]]) -> str:
    """Returns mean and standard deviation over the seeds; of the first metric each seed and the differences.

    Args:
        task: the comparison.
        runs: results, as trained_*.json lists them.
    """
    from ..paired import paired
    from ..text_table import NOTHING, markdown_table
    from .table import Figure
    first, metric = next(iter(task.columns.items()))
    labels = {Path(name).stem: label for name, label in task.models.items()}
    by_seed = {name: {one['seed']: one['scores'][metric] for one in runs if one['variant'] == name}
               for name in labels}
    header = ['model', 'seeds', *task.columns, f'{first} of each seed',
              f'{first} minus {labels[task.reference]}', 's a step']
    rows = []
    for name, label in labels.items():
        of_model = sorted((one for one in runs if one['variant'] == name), key=lambda one: one['seed'])
        if not of_model:
            continue
        values = {head: [one['scores'][key] for one in of_model if key in one['scores']]
                  for head, key in task.columns.items()}
        beside = by_seed[task.reference].keys() & by_seed[name].keys() if name != task.reference else ()
        rows.append([label, str(len(of_model)),
                     *(f'{Figure.of(found):{task.spec}}' if found else NOTHING for found in values.values()),
                     ', '.join(f'{value:{task.spec}}' for value in values[first]),
                     f'{paired(by_seed[name], by_seed[task.reference]):{task.spec}}' if beside else NOTHING,
                     f'{Figure.of([one["step_s"] for one in of_model]).mean:.2f}'])
    return markdown_table(header, rows)


def caption(runs: List[Dict[str, Any]], runs_file: str) -> str:
    """Returns the budget.

    Args:
        runs: results of one comparison.
        runs_file: name of their list.

    Raises:
        UserError: if their budgets differ.
    """
    budgets = sorted({(one['steps'], one['batch_size'], one['train_samples'], one['scores']['samples'])
                      for one in runs})
    if len(budgets) > 1:
        raise UserError(f'the runs have the budgets {budgets} (steps, batch, samples learned and scored), '
                        f'which no table may mix; train the others again, or move {runs_file} away')
    steps, batch_size, learned, scored = budgets[0]
    return (f'Every model: {steps} steps of {batch_size} of {learned} samples, scored on {scored} others of '
            'scenes that training never saw; mean ± standard deviation over the seeds, differences seed by '
            'seed with 95 % t-intervals. Trained on '
            f'{" and ".join(sorted({one["date"] for one in runs}))}; seconds of one thread '
            f'of {", ".join(sorted({one["processor"] for one in runs}))}. Every single run: '
            f'[{runs_file}]({runs_file}).')
