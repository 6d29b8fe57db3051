"""Submits a dataset's own annotations to the devkit: every annotated split must score 1, 1 and 0.

Exit codes: 0 perfect, 1 not (with the reason where it is known), 2 could not run.

Example:
    gemini3d score-ground-truth --dataroot data/synthetic --version v1.0-mini
"""
import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from geminifusion3d.commands.arguments import add_alias, add_dataset
from geminifusion3d.commands.dataset import choose_dataset
from geminifusion3d.errors import UserError

if TYPE_CHECKING:
    from .ground_truth import GroundTruthScore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the dataset and the splits."""
    add_dataset(parser, split='')
    parser.add_argument('--split', nargs='+', default=[], metavar='NAME',
                        help='default: all splits that have annotations')
    add_alias(parser, '--splits', dest='split', nargs='+')


def print_score(score: 'GroundTruthScore') -> None:
    """Prints one line of scores, and why they are not perfect if that is known."""
    from geminifusion3d.results.devkit_eval import ERROR_NAMES
    summary = score.evaluation.summary
    errors = '  '.join(f'{ERROR_NAMES[name]} {value:.6f}' for name, value in summary['tp_errors'].items())
    print(f'{score.split:<12} mAP {summary["mean_ap"]:.6f}  NDS {summary["nd_score"]:.6f}  '
          f'{errors}  ({score.n_boxes} boxes)')
    if score.absent_classes:
        print(f'{"":<12} no annotation that counts: {", ".join(score.absent_classes)}')


def run(args: argparse.Namespace) -> int:
    """Scores each split and returns the exit code."""
    dataset = choose_dataset(argparse.Namespace(**{**vars(args), 'split': None}), needs_split=False)
    from geminifusion3d.results.devkit_eval import open_tables

    from .ground_truth import annotated_splits, score_ground_truth
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    known = annotated_splits(tables)
    splits = args.split or known
    unknown = [split for split in splits if split not in known]
    if unknown or not splits:
        raise UserError(f'split {unknown[0] if unknown else "(any)"} has no annotations in '
                        f'{dataset.dataroot}/{dataset.version}; splits with annotations: '
                        f'{", ".join(known) or "none"}')
    with tempfile.TemporaryDirectory() as folder:
        scores = [score_ground_truth(tables=tables, split=split, folder=Path(folder)) for split in splits]
    for score in scores:
        print_score(score)
    return 0 if all(score.is_perfect for score in scores) else 1
