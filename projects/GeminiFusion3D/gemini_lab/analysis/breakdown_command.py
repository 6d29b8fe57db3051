"""Splits a results file's score by distance, motion, visibility, LiDAR points, light, weather and city.

The devkit loads, filters and matches; each line says how many objects stand behind it.

Example:
    python tools/breakdown.py work_dirs/demo/results_nusc.json --dataroot data/synthetic \\
        --version v1.0-mini --split mini_val --json work_dirs/demo/breakdown.json
"""
import argparse
from pathlib import Path

from mmengine.utils import ProgressBar

from geminifusion3d.atomic import write_json
from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from .breakdown import breakdown
from .breakdown_bins import questions
from .breakdown_table import format_breakdown
from geminifusion3d.results.devkit_eval import open_tables
from .evaluated_boxes import load_evaluated_boxes
from geminifusion3d.submission.findings import errors_among
from geminifusion3d.submission.split_samples import read_split_samples
from geminifusion3d.submission.validation import validate_file


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('results', type=Path, help='results JSON in the nuScenes format')
    parser.add_argument('--dataroot', type=Path, required=True, help='folder of the dataset')
    parser.add_argument('--version', required=True, help='for example v1.0-trainval')
    parser.add_argument('--split', required=True, help='official or from splits.json')
    parser.add_argument('--resamples', type=int, default=200,
                        help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none')
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap')
    parser.add_argument('--json', type=Path, help='also write everything, class by class, here')
    return parser.parse_args()


def check_results(args: argparse.Namespace) -> None:
    """Refuses a file that is no valid submission of the split.

    Raises:
        UserError: with the first rule that it breaks.
    """
    split = read_split_samples(data_root=args.dataroot, version=args.version, split=args.split)
    errors = errors_among(validate_file(args.results, split).findings)
    if errors:
        raise UserError(f'{args.results} is no valid submission of {args.split}: {errors[0]}; '
                        'tools/validate_submission.py lists everything')


def main() -> None:
    """Prints the table and writes the file."""
    args = parse_args()
    if args.resamples < 0:
        raise UserError(f'--resamples must be 0 or more, got {args.resamples}')
    check_results(args)
    tables = open_tables(data_root=args.dataroot, version=args.version)
    evaluated = load_evaluated_boxes(result_path=args.results, tables=tables, split=args.split)
    progress = ProgressBar(sum(len(question.bins) for question in questions(evaluated)))
    result = breakdown(evaluated, resamples=args.resamples, seed=args.seed, tick=progress.update)
    print('\n' + format_breakdown(result))
    if args.json:
        write_json(args.json, result, indent=2)


if __name__ == '__main__':
    run_cli(main)
