"""Writes the report of an evaluated run: one HTML page to open in any browser, without a network.

Beside the metrics, robustness.json and modalities.json are shown where they are there. Another model
of the same split is put beside this one with --compare.

Example:
    python tools/make_report.py --metrics-dir work_dirs/demo --dataroot data/synthetic \
        --version v1.0-mini --split mini_val --train-log work_dirs/demo \
        --out work_dirs/demo/report.html
"""
import argparse
from pathlib import Path
from typing import Tuple

from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from .build import ReportRequest, write_report


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--metrics-dir', type=Path, required=True,
                        help='folder with metrics_summary.json (or metrics.json), '
                             'metrics_details.json and results_nusc.json')
    parser.add_argument('--results', type=Path,
                        help='submission file, if it is not in --metrics-dir')
    parser.add_argument('--dataroot', type=Path, required=True, help='folder of the dataset')
    parser.add_argument('--version', required=True, help='for example v1.0-mini')
    parser.add_argument('--split', required=True, help='for example mini_val')
    parser.add_argument('--train-log', type=Path,
                        help='scalars.json, a loss curve, or the work directory of a training')
    parser.add_argument('--out', type=Path, required=True, help='the page to write')
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
                        help='JSON of tools/breakdown.py, instead of computing it')
    parser.add_argument('--robustness', type=Path, metavar='FILE',
                        help='robustness.json of tools/test_robustness.py, if it is not in '
                             '--metrics-dir or its folder robustness')
    parser.add_argument('--min-score', type=float,
                        help='predictions below it start hidden (default: where F1 is best)')
    parser.add_argument('--title', default='Camera-LiDAR 3D detection')
    parser.add_argument('--config', help='name of the config, for the head of the page')
    parser.add_argument('--checkpoint', help='name of the checkpoint, for the head of the page')
    parser.add_argument('--date', help='date to print; none is printed without it')
    parser.add_argument('--fact', action='append', default=[], metavar='NAME=VALUE',
                        help='another line for the head of the page; may be repeated')
    return parser.parse_args()


def read_fact(text: str) -> Tuple[str, str]:
    """Splits NAME=VALUE."""
    name, equals, value = text.partition('=')
    if not equals or not name:
        raise UserError(f'--fact {text!r} is not NAME=VALUE; write for example machine="2 cores"')
    return name, value


def main() -> None:
    """Writes the report and says where it is."""
    args = parse_args()
    for name in ('samples', 'worst', 'resamples'):
        if getattr(args, name) < 0:
            raise UserError(f'--{name} {getattr(args, name)} is negative; give how many, or 0')
    if args.min_score is not None and not 0 <= args.min_score <= 1:
        raise UserError(f'--min-score {args.min_score} is not within 0 and 1')
    named = (('config', args.config), ('checkpoint', args.checkpoint), ('date', args.date))
    facts = [(name, value) for name, value in named if value]
    facts += [read_fact(text) for text in args.fact]
    report = write_report(ReportRequest(
        metrics_dir=args.metrics_dir, results=args.results, dataroot=args.dataroot,
        version=args.version, split=args.split, train_log=args.train_log,
        num_samples=args.samples, num_worst=args.worst, sample_tokens=args.sample_tokens,
        title=args.title, facts=facts, min_score=args.min_score, resamples=args.resamples,
        breakdown=args.breakdown, robustness=args.robustness, compare=args.compare), args.out)
    print(f'{args.out}: {len(report.cards)} samples, mAP {report.metrics.mean_ap:.4f}, '
          f'NDS {report.metrics.nds:.4f}, {args.out.stat().st_size / 2**20:.1f} MB')


if __name__ == '__main__':
    run_cli(main)
