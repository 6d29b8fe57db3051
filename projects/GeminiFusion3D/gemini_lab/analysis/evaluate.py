"""Splits a results file's score by distance, motion, visibility, LiDAR points, light, weather and city.

The devkit loads, filters and matches; each line says how many objects stand behind it.

Example:
    gemini3d evaluate work_dirs/demo/results_nusc.json --json work_dirs/demo/breakdown.json
"""
import argparse
from pathlib import Path

from geminifusion3d.commands.arguments import add_dataset, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the file, its dataset and the bootstrap."""
    parser.add_argument('results', type=Path, help='results JSON in the nuScenes format')
    add_dataset(parser, recorded=True)
    parser.add_argument('--resamples', type=at_least(0), default=200, metavar='N',
                        help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none')
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap')
    parser.add_argument('--json', type=Path, help='also write everything, class by class, here')


def run(args: argparse.Namespace) -> None:
    """Prints the table and writes the file."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.cli import progress_bar
    from geminifusion3d.commands.dataset import choose_dataset
    from geminifusion3d.results.devkit_eval import open_tables
    from geminifusion3d.submission.split_samples import read_split_samples
    from .breakdown import breakdown, format_breakdown
    from .breakdown_bins import questions
    from .evaluated_boxes import load_evaluated_boxes
    from .prediction_file import check_submission
    dataset = choose_dataset(args, results=args.results)
    check_submission(args.results, read_split_samples(
        data_root=dataset.dataroot, version=dataset.version, split=dataset.split))
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    evaluated = load_evaluated_boxes(result_path=args.results, tables=tables, split=dataset.split)
    parts = sum(len(question.bins) for question in questions(evaluated))
    with progress_bar(parts, 'parts') as tick:
        result = breakdown(evaluated, resamples=args.resamples, seed=args.seed, tick=tick)
    print(format_breakdown(result))
    if args.json:
        write_json(args.json, result, indent=2)
