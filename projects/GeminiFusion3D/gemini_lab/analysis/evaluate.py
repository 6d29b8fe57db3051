"""Scores a results file by the official devkit: whole, or split by what objects and scenes are like.

score prints what a test run prints. breakdown splits the score by distance, motion, visibility, LiDAR points,
light, weather and city; the devkit loads, filters and matches, and each line says how many objects stand
behind it.

Example:
    gemini3d evaluate score work_dirs/demo/results_nusc.json
    gemini3d evaluate breakdown work_dirs/demo/results_nusc.json --json work_dirs/demo/breakdown.json
"""
import argparse
from pathlib import Path
from typing import Any, Dict

from geminifusion3d.commands.arguments import add_dataset, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two ways to score, each with the file, its dataset and output."""
    commands = parser.add_subparsers(dest='what', required=True, metavar='score|breakdown')
    for name, text in (('score', 'mAP, NDS and errors, class by class'),
                       ('breakdown', 'by distance, motion, visibility, points, light, weather and city')):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument('results', type=Path, help='results JSON in the nuScenes format')
        add_dataset(command, recorded=True)
        command.add_argument('--json', type=Path, help='also write everything, class by class, here')
    command.add_argument('--resamples', type=at_least(0), default=200, metavar='N',
                         help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none')
    command.add_argument('--seed', type=int, default=0, help='of the bootstrap')


def run(args: argparse.Namespace) -> None:
    """Prints the table and writes the file."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.commands.dataset import choose_dataset
    from geminifusion3d.results.devkit_eval import evaluate_file, format_table, open_tables
    from geminifusion3d.submission.split_samples import read_split_samples

    from .prediction_file import check_submission
    dataset = choose_dataset(args, results=args.results)
    check_submission(args.results, read_split_samples(
        data_root=dataset.dataroot, version=dataset.version, split=dataset.split))
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    if args.what == 'score':
        result = evaluate_file(result_path=args.results, tables=tables, split=dataset.split).summary
        print(format_table(result))
    else:
        result = _breakdown(args, tables, dataset.split)
    if args.json:
        write_json(args.json, result, indent=2, sealed=True)


def _breakdown(args: argparse.Namespace, tables: Any, split: str) -> Dict[str, Any]:
    """Prints the parts of the score and returns them."""
    from tqdm import tqdm

    from .breakdown import breakdown, format_breakdown, questions
    from .evaluated_boxes import load_evaluated_boxes
    evaluated = load_evaluated_boxes(result_path=args.results, tables=tables, split=split)
    parts = sum(len(question.bins) for question in questions(evaluated))
    with tqdm(total=parts, desc='parts') as bar:
        result = breakdown(evaluated, resamples=args.resamples, seed=args.seed, tick=bar.update)
    print(format_breakdown(result))
    return result
