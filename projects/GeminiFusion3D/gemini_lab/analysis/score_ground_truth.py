"""Submits a dataset's own annotations to the devkit: every annotated split must score 1, 1 and 0.

Exit codes: 0 perfect, 1 not (with the reason where it is known), 2 could not run.

Example:
    python tools/score_ground_truth.py --dataroot data/synthetic --version v1.0-mini
"""
import argparse
import tempfile
from pathlib import Path

from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import ERROR_NAMES, open_tables
from .ground_truth import GroundTruthScore, annotated_splits, score_ground_truth


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--dataroot', type=Path, required=True, help='folder of the dataset')
    parser.add_argument('--version', required=True, help='for example v1.0-mini')
    parser.add_argument('--splits', nargs='+', metavar='SPLIT',
                        help='which splits; default: all that have annotations')
    return parser.parse_args()


def print_score(score: GroundTruthScore) -> None:
    """Prints one line of scores, and why they are not perfect if that is known."""
    summary = score.evaluation.summary
    errors = '  '.join(f'{ERROR_NAMES[name]} {value:.6f}'
                       for name, value in summary['tp_errors'].items())
    print(f'{score.split:<12} mAP {summary["mean_ap"]:.6f}  NDS {summary["nd_score"]:.6f}  '
          f'{errors}  ({score.n_boxes} boxes)')
    if score.absent_classes:
        print(f'{"":<12} no annotation that counts: {", ".join(score.absent_classes)}')


def main() -> int:
    """Scores each split and returns the exit code."""
    args = parse_args()
    tables = open_tables(data_root=args.dataroot, version=args.version)
    known = annotated_splits(tables)
    splits = args.splits or known
    unknown = [split for split in splits if split not in known]
    if unknown or not splits:
        raise UserError(f'split {unknown[0] if unknown else "(any)"} has no annotations in '
                        f'{args.dataroot}/{args.version}; splits with annotations: '
                        f'{", ".join(known) or "none"}')
    with tempfile.TemporaryDirectory() as folder:
        scores = [score_ground_truth(tables=tables, split=split, folder=Path(folder))
                  for split in splits]
    for score in scores:
        print_score(score)
    return 0 if all(score.is_perfect for score in scores) else 1


if __name__ == '__main__':
    run_cli(main)
