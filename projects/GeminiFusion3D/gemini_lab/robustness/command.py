"""What `tools/test_robustness.py` does: arguments to conditions, conditions to a report."""
import argparse
from pathlib import Path
from typing import List, Optional

from geminifusion3d.commands.train_and_test import (evaluation_config, one_voice, process_rank, recipe_parser)
from geminifusion3d.results.evaluated_split import add_split_argument
from ..corruptions.catalogue import CORRUPTIONS
from ..corruptions.strength import SEVERITIES
from .conditions import ScoreBook
from .evaluate import evaluate
from .identity import identity_of
from .suite import JSON_FILE, MARKDOWN_FILE, SCORES_FILE, run_suite, write_report

DEFAULT_FOLDER = 'robustness'


def parse_robustness_arguments(arguments: Optional[List[str]] = None, *, description: str = '',
                               example: str = '') -> argparse.Namespace:
    """Reads the command line.

    Args:
        arguments: words; None takes those of the process.
        description: of the tool.
        example: of a call.
    """
    parser = recipe_parser(description, example)
    parser.add_argument('checkpoint', help='checkpoint (.pth) that was trained with the config')
    add_split_argument(parser)
    parser.add_argument('--corruptions', nargs='+', choices=list(CORRUPTIONS), default=list(CORRUPTIONS),
                        metavar='NAME', help='some of: ' + ' '.join(CORRUPTIONS) + '; default: all')
    parser.add_argument('--severities', nargs='+', type=int, choices=SEVERITIES, default=list(SEVERITIES),
                        metavar='N', help='some of 1 2 3; default: all')
    parser.add_argument('--restart', action='store_true',
                        help='forget finished evaluations of another config, checkpoint or dataset')
    return parser.parse_args(arguments)


def measure_robustness(arguments: argparse.Namespace) -> int:
    """Evaluates, prints the table and writes the report.

    Args:
        arguments: of `parse_robustness_arguments`.

    Returns:
        The exit code, 0.
    """
    with one_voice(arguments):
        cfg = evaluation_config(arguments)
        folder = Path(cfg.work_dir) / ('' if arguments.work_dir else DEFAULT_FOLDER)
        book = ScoreBook(path=folder / SCORES_FILE, identity=identity_of(cfg, arguments.checkpoint),
                         restart=arguments.restart)
        is_writer = process_rank() == 0
        report = run_suite(cfg, book, evaluate, is_writer=is_writer,
                           corruptions=[name for name in CORRUPTIONS if name in arguments.corruptions],
                           severities=sorted(set(arguments.severities)))
        if is_writer:
            write_report(report, folder, Path(arguments.config).stem)
            print(report.to_terminal())
            print(f'written: {folder / JSON_FILE}, {folder / MARKDOWN_FILE}')
    return 0
