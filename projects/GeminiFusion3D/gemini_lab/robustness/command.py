"""Evaluates a model under conditions: corrupted sensors, silent sensors, test-time augmentation.

Without a choice: every corruption of MultiCorrupt at every severity, into <work-dir>/robustness.
--failures: the failing sensors of nuScenes-R and radars, into <work-dir>/failures. --modalities: black and
shuffled cameras, empty LiDAR, silent radars, into <work-dir>/modalities. --tta: what each combination of
test-time augmentation gains and costs, into <work-dir>/tta_gain. A killed run goes on.

Example:
    gemini3d robustness configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py \\
        work_dirs/demo/epoch_6.pth --severities 3
"""
import argparse
from pathlib import Path

from geminifusion3d.commands.arguments import add_evaluation, add_restart, add_speed
from geminifusion3d.errors import UserError

DEFAULT_TERMS = ('flip', 'rotate', 'scale', 'image-flip')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds recipe, checkpoint and conditions."""
    add_evaluation(parser)
    add_restart(parser)
    add_speed(parser)
    parser.add_argument('--corruptions', nargs='+', metavar='NAME',
                        help='some of: beamsreducing brightness dark fog missingcamera motionblur '
                             'pointsreducing snow spatialmisalignment temporalmisalignment (default: these '
                             'ten), limitedfov objectfailure dirtylens calibrationnoise stuckcamera '
                             'lidardrop viewdrop radardrop')
    parser.add_argument('--severities', nargs='+', type=int, choices=(1, 2, 3), default=[1, 2, 3],
                        metavar='N', help='some of 1 2 3; default: all')
    parser.add_argument('--failures', action='store_true',
                        help='failing sensors instead of corruptions: the eight last, radars only where '
                             'there are some')
    parser.add_argument('--modalities', action='store_true',
                        help='black and shuffled cameras, an empty LiDAR and silent radars instead of '
                             'corruptions')
    parser.add_argument('--tta', nargs='*', metavar='TERM[+TERM]',
                        help='test-time augmentation instead of corruptions: plain, and with each of these '
                             'combinations, such as flip rotate=6,-6 flip+image-flip; default: '
                             + ' '.join(DEFAULT_TERMS))


def run(arguments: argparse.Namespace) -> int:
    """Evaluates, prints the table and writes the report; returns the exit code, 0."""
    from geminifusion3d.commands.train_and_test import evaluation_config, one_error, process_rank

    from ..corruptions.catalogue import CATALOGUE, CORRUPTIONS, FAILURES
    from .changed_recipe import RADAR, read_sensors
    from .evaluations import evaluate_recipe, open_scores, run_modalities
    from .suite import JSON_FILE, MARKDOWN_FILE, run_suite, write_report
    from .variants_gain import run_gain, seconds_per_sample
    chosen = arguments.corruptions or list(FAILURES if arguments.failures else CORRUPTIONS)
    unknown = [name for name in chosen if name not in CATALOGUE]
    if unknown:
        raise UserError(f'--corruptions got {", ".join(unknown)}; expected some of {", ".join(CATALOGUE)}')
    flags = [flag for flag, is_given in (
        ('--corruptions', arguments.corruptions), ('--failures', arguments.failures),
        ('--modalities', arguments.modalities), ('--tta', arguments.tta is not None)) if is_given]
    if len(flags) > 1:
        raise UserError(f'got {" and ".join(flags)}; run one after the other')
    kind = {'--failures': 'failures', '--modalities': 'modalities', '--tta': 'tta_gain'}.get(
        ''.join(flags), 'robustness')
    with one_error(arguments):
        cfg = evaluation_config(arguments)
        if arguments.failures and RADAR not in read_sensors(cfg):
            # Its clean score would only raise the mean.
            chosen = [name for name in chosen if CATALOGUE[name].radar is None]
        folder = Path(cfg.work_dir) / ('' if arguments.work_dir else kind)
        results = open_scores(cfg, folder, restart=arguments.restart)
        is_writer = process_rank() == 0
        if arguments.modalities:
            run_modalities(cfg, results, evaluate_recipe, is_writer=is_writer)
        elif arguments.tta is not None:
            run_gain(cfg, arguments.tta, results, evaluate_recipe, seconds_per_sample, is_writer=is_writer)
        else:
            report = run_suite(cfg, results, evaluate_recipe, is_writer=is_writer,
                               corruptions=[name for name in CATALOGUE if name in chosen],
                               severities=sorted(set(arguments.severities)))
            if is_writer:
                write_report(report, folder, Path(arguments.config).stem)
                print(report.to_terminal())
                print(f'written: {folder / JSON_FILE}, {folder / MARKDOWN_FILE}')
    return 0
