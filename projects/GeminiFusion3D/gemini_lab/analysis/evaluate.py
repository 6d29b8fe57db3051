"""Scores a results file by the official devkit: whole, or split by what the objects and scenes are like.

score prints what a test run prints. breakdown splits the score by distance, motion, visibility, LiDAR points,
light, weather and city; each line says how many objects stand behind it.

Example:
    gemini3d evaluate score work_dirs/demo/results_nusc.json
    gemini3d evaluate breakdown work_dirs/demo/results_nusc.json --dataroot data/synthetic --split mini_val
"""
import argparse
from pathlib import Path

from geminifusion3d.cli import progress_bar
from geminifusion3d.commands.arguments import add_dataset, at_least
from geminifusion3d.commands.dataset import choose_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the two ways to score."""
    commands = parser.add_subparsers(dest='what', required=True, metavar='score|breakdown')
    for name, text in (('score', 'mAP, NDS and errors, class by class'),
                       ('breakdown', 'by distance, motion, visibility, points, light, weather and city')):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument('results', type=Path, help='results JSON in the nuScenes format')
        add_dataset(command, recorded=True)
        command.add_argument('--json', type=Path, help='also write everything here')
        if name == 'breakdown':
            command.add_argument('--resamples', type=at_least(0), default=200, metavar='N',
                                 help='bootstrap resamples of the scenes for 95 %% intervals; 0 for none')
            command.add_argument('--seed', type=int, default=0, help='of the bootstrap')


def run(args: argparse.Namespace) -> None:
    """Prints the table and writes the file."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.results.devkit_eval import evaluate_file, format_table, open_tables

    from .ensemble import valid_samples
    dataset = choose_dataset(args, results=args.results)
    valid_samples([args.results], dataset)
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    if args.what == 'score':
        result = evaluate_file(result_path=args.results, tables=tables, split=dataset.split).summary
        print(format_table(result))
    else:
        from .breakdown import breakdown
        from .breakdown_bins import questions
        from .breakdown_table import format_breakdown
        from .evaluated_boxes import load_evaluated_boxes
        evaluated = load_evaluated_boxes(result_path=args.results, tables=tables, split=dataset.split)
        with progress_bar(sum(len(question.bins) for question in questions(evaluated)), 'breakdown') as tick:
            result = breakdown(evaluated, resamples=args.resamples, seed=args.seed, tick=tick)
        print(format_breakdown(result))
    if args.json:
        write_json(args.json, result, indent=2)
