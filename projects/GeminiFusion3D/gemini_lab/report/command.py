"""Writes the report of an evaluated run: one HTML page to open in any browser, without a network.

Beside the metrics, robustness.json and modalities.json are shown where they are there. Another model
of the same split is put beside this one with --compare.

Example:
    gemini3d report work_dirs/demo
    gemini3d report work_dirs/A --compare work_dirs/B --out report.html
"""
import argparse
from pathlib import Path
from typing import List, Tuple

from geminifusion3d.commands.arguments import add_alias, add_dataset
from geminifusion3d.commands.dataset import choose_dataset, read_run
from geminifusion3d.errors import UserError

TRAINING_LOGS = ('vis_data/scalars.json', 'loss_curve.jsonl', '*/vis_data/scalars.json')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is shown and where it goes."""
    parser.add_argument('folder', nargs='?', type=Path,
                        help='of the run, with metrics_summary.json (or metrics.json), metrics_details.json '
                             'and results_nusc.json')
    add_alias(parser, '--metrics-dir', dest='metrics_dir', type=Path)
    parser.add_argument('--results', type=Path, help='submission file, if it is not in the folder')
    add_dataset(parser, recorded=True)
    parser.add_argument('--train-log', type=Path,
                        help='scalars.json, a loss curve, or the work directory of a training; '
                             'default: the folder, if a training wrote into it')
    parser.add_argument('--out', type=Path, help='the page to write; default: report.html in the folder')
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument('--samples', type=int, default=4, metavar='N',
                        help='how many samples to show, spread over the scenes (default 4)')
    chosen.add_argument('--sample-tokens', nargs='+', default=(), metavar='TOKEN',
                        help='the samples to show, and no others')
    parser.add_argument('--worst', type=int, default=4, metavar='N',
                        help='how many of the worst samples to show besides (default 4)')
    parser.add_argument('--compare', type=Path, metavar='OTHER_WORK_DIR',
                        help='metrics folder of another model, to put beside this one')
    parser.add_argument('--resamples', type=int, default=100, metavar='N',
                        help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none '
                             '(default 100, about 0.3 s each for 40 samples)')
    parser.add_argument('--breakdown', type=Path, metavar='FILE',
                        help='JSON of gemini3d evaluate breakdown, instead of computing it')
    parser.add_argument('--robustness', type=Path, metavar='FILE',
                        help='robustness.json of gemini3d robustness, if it is not in the '
                             'folder or its folder robustness')
    parser.add_argument('--min-score', type=float,
                        help='predictions below it start hidden (default: where F1 is best)')
    parser.add_argument('--title', default='Camera-LiDAR 3D detection')
    parser.add_argument('--config', help='name of the config, for the head of the page; default: '
                                         'what test_run.json says')
    parser.add_argument('--checkpoint', help='name of the checkpoint, likewise')
    parser.add_argument('--date', help='date to print; none is printed without it')
    parser.add_argument('--fact', action='append', default=[], metavar='NAME=VALUE',
                        help='another line for the head of the page; may be repeated')


def read_fact(text: str) -> Tuple[str, str]:
    """Splits NAME=VALUE."""
    name, equals, value = text.partition('=')
    if not equals or not name:
        raise UserError(f'--fact {text!r} is not NAME=VALUE; write for example machine="2 cores"')
    return name, value


def run(args: argparse.Namespace) -> None:
    """Writes the report and says where it is."""
    folder = args.folder or getattr(args, 'metrics_dir', None)
    if folder is None:
        raise UserError('got no folder of an evaluated run, expected one that gemini3d test wrote to')
    for name in ('samples', 'worst', 'resamples'):
        if getattr(args, name) < 0:
            raise UserError(f'--{name} {getattr(args, name)} is negative; give how many, or 0')
    if args.min_score is not None and not 0 <= args.min_score <= 1:
        raise UserError(f'--min-score {args.min_score} is not within 0 and 1')
    dataset = choose_dataset(args, results=folder)
    log = args.train_log or (folder if any(any(folder.glob(name)) for name in TRAINING_LOGS) else None)
    out = args.out or folder / 'report.html'
    from .build import ReportRequest, write_report
    report = write_report(ReportRequest(
        metrics_dir=folder, results=args.results, dataroot=dataset.dataroot,
        version=dataset.version, split=dataset.split, train_log=log,
        num_samples=args.samples, num_worst=args.worst, sample_tokens=args.sample_tokens,
        title=args.title, facts=_facts(args, folder), min_score=args.min_score, resamples=args.resamples,
        breakdown=args.breakdown, robustness=args.robustness, compare=args.compare), out)
    print(f'{out}: {len(report.cards)} samples, mAP {report.metrics.mean_ap:.4f}, '
          f'NDS {report.metrics.nds:.4f}, {out.stat().st_size / 2**20:.1f} MB')


def _facts(args: argparse.Namespace, folder: Path) -> List[Tuple[str, str]]:
    """Returns the lines of the page's head: what the user says, else what the run's record says."""
    run_record = read_run(folder)
    checkpoint = (run_record.get('checkpoint') or {}).get('path')
    named = (('config', args.config or run_record.get('config')),
             ('checkpoint', args.checkpoint or checkpoint), ('date', args.date or run_record.get('date')))
    return [*((name, Path(value).name) for name, value in named if value), *map(read_fact, args.fact)]
