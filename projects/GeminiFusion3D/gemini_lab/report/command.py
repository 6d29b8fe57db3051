"""Writes the report of an evaluated run: one HTML page to open in any browser, without a network.

What the work directory knows is found there: dataset, checkpoint, config, training log, robustness.json and
modalities.json. Another model of the same split is put beside this one with --compare.

Example:
    gemini3d report work_dirs/demo
    gemini3d report work_dirs/demo --compare work_dirs/other --out work_dirs/both.html
"""
import argparse
from pathlib import Path

from geminifusion3d.cli import plural
from geminifusion3d.commands.arguments import add_alias, add_dataset, at_least
from geminifusion3d.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the run, its dataset, and what the page shows."""
    parser.add_argument('metrics_dir', type=Path, nargs='?', metavar='WORK_DIR',
                        help='folder that gemini3d test filled: metrics_summary.json (or metrics.json), '
                             'metrics_details.json and results_nusc.json')
    add_alias(parser, '--metrics-dir', dest='metrics_dir', type=Path)
    add_dataset(parser, recorded=True)
    parser.add_argument('--results', type=Path, help='submission file, if it is not in WORK_DIR')
    parser.add_argument('--train-log', type=Path,
                        help='work directory of the training, or a log, if it is not in WORK_DIR')
    parser.add_argument('--out', type=Path, help='the page to write; default: report.html in WORK_DIR')
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument('--samples', type=at_least(0), default=4, metavar='N',
                        help='how many samples to show, one of them at the head of the page (default 4)')
    chosen.add_argument('--sample-tokens', nargs='+', default=(), metavar='TOKEN',
                        help='the samples to show, and no others')
    parser.add_argument('--worst', type=at_least(0), default=4, metavar='N',
                        help='how many of the worst samples to show besides (default 4)')
    parser.add_argument('--compare', type=Path, metavar='OTHER_WORK_DIR',
                        help='work directory of another model, to put beside this one')
    parser.add_argument('--resamples', type=at_least(0), default=100, metavar='N',
                        help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none '
                             '(default 100, about 0.3 s each for 40 samples)')
    parser.add_argument('--robustness', type=Path, metavar='FILE',
                        help='robustness.json, if it is not in WORK_DIR or its folder robustness')
    parser.add_argument('--min-score', type=float,
                        help='predictions below it start hidden (default: where F1 is best)')
    parser.add_argument('--title', default='Camera-LiDAR 3D detection')


def run(args: argparse.Namespace) -> None:
    """Writes the report and says where it is."""
    if args.metrics_dir is None:
        raise UserError('got no WORK_DIR, expected the folder that gemini3d test filled')
    if args.min_score is not None and not 0 <= args.min_score <= 1:
        raise UserError(f'--min-score {args.min_score} is not within 0 and 1')
    from geminifusion3d.commands.dataset import choose_dataset
    dataset = choose_dataset(args, results=args.results or args.metrics_dir)
    out = args.out or args.metrics_dir / 'report.html'
    from .build import ReportRequest, write_report
    report = write_report(ReportRequest(
        metrics_dir=args.metrics_dir, results=args.results, dataroot=dataset.dataroot,
        version=dataset.version, split=dataset.split, train_log=args.train_log,
        num_samples=args.samples, num_worst=args.worst, sample_tokens=args.sample_tokens,
        title=args.title, min_score=args.min_score, resamples=args.resamples,
        robustness=args.robustness, compare=args.compare), out)
    print(f'{out}: {plural(len(report.cards), "sample")}, mAP {report.metrics.mean_ap:.4f}, '
          f'NDS {report.metrics.nds:.4f}, {out.stat().st_size / 2**20:.1f} MB')
