"""Evaluates a model under conditions: corrupted sensors, silent sensors, test-time augmentation.

Without a choice: every corruption of MultiCorrupt at every severity, into <work-dir>/robustness.
--modalities: black and shuffled cameras, empty LiDAR, into <work-dir>/modalities. --tta: what each
combination of test-time augmentation gains and costs, into <work-dir>/tta_gain. A killed run goes on.
"""
import argparse
from pathlib import Path
from typing import List, Optional

from geminifusion3d.cli import run_cli
from geminifusion3d.commands.train_and_test import (evaluation_config, one_voice, process_rank, recipe_parser)
from geminifusion3d.errors import UserError
from geminifusion3d.results.evaluated_split import add_split_argument
from ..corruptions.catalogue import CORRUPTIONS
from ..corruptions.strength import SEVERITIES
from .evaluations import evaluate_recipe, open_scores
from .modalities import run_modalities
from .suite import JSON_FILE, MARKDOWN_FILE, run_suite, write_report
from .variants_gain import DEFAULT_TERMS, run_gain, seconds_per_sample

EXAMPLE = ('example: gemini3d robustness configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py '
           'work_dirs/demo/epoch_18.pth --severities 3')


def parse_robustness_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = recipe_parser(__doc__ or '', EXAMPLE)
    parser.add_argument('checkpoint', help='checkpoint (.pth) that was trained with the config')
    add_split_argument(parser)
    parser.add_argument('--corruptions', nargs='+', choices=list(CORRUPTIONS), default=list(CORRUPTIONS),
                        metavar='NAME', help='some of: ' + ' '.join(CORRUPTIONS) + '; default: all')
    parser.add_argument('--severities', nargs='+', type=int, choices=SEVERITIES, default=list(SEVERITIES),
                        metavar='N', help='some of 1 2 3; default: all')
    parser.add_argument('--modalities', action='store_true',
                        help='black and shuffled cameras and an empty LiDAR instead of corruptions')
    parser.add_argument('--tta', nargs='*', metavar='TERM[+TERM]',
                        help='test-time augmentation instead of corruptions: plain, and with each of these '
                             'combinations, such as flip rotate=6,-6 flip+image-flip; default: '
                             + ' '.join(DEFAULT_TERMS))
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
    if arguments.modalities and arguments.tta is not None:
        raise UserError('got --modalities and --tta; run one after the other')
    kind = 'modalities' if arguments.modalities else 'robustness' if arguments.tta is None else 'tta_gain'
    with one_voice(arguments):
        cfg = evaluation_config(arguments)
        folder = Path(cfg.work_dir) / ('' if arguments.work_dir else kind)
        results = open_scores(cfg, folder, restart=arguments.restart)
        is_writer = process_rank() == 0
        if arguments.modalities:
            run_modalities(cfg, results, evaluate_recipe, is_writer=is_writer)
        elif arguments.tta is not None:
            run_gain(cfg, arguments.tta, results, evaluate_recipe, seconds_per_sample, is_writer=is_writer)
        else:
            report = run_suite(cfg, results, evaluate_recipe, is_writer=is_writer,
                               corruptions=[name for name in CORRUPTIONS if name in arguments.corruptions],
                               severities=sorted(set(arguments.severities)))
            if is_writer:
                write_report(report, folder, Path(arguments.config).stem)
                print(report.to_terminal())
                print(f'written: {folder / JSON_FILE}, {folder / MARKDOWN_FILE}')
    return 0


if __name__ == '__main__':
    run_cli(lambda: measure_robustness(parse_robustness_arguments()))
