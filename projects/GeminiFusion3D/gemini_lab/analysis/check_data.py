"""Checks a file of generic records, and every file that it names, before anybody trains or predicts on it.

Exit codes: 0 sound (warnings included), 1 mistakes, 2 could not run.

Example:
    gemini3d check-data data/mine/train.jsonl --classes car big_vehicle person --cameras front left right
"""
import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the file and what is expected of it."""
    parser.add_argument('file', type=Path, metavar='FILE.jsonl', help='records, one per line')
    parser.add_argument('--dataroot', type=Path, metavar='DIR',
                        help='what its paths are relative to; default: the folder of the file')
    parser.add_argument('--classes', nargs='+', default=[], metavar='NAME',
                        help='classes of the recipe; boxes of others are named')
    parser.add_argument('--with-sums', type=Path, metavar='NEW.jsonl',
                        help='write sound records there with the check sum of each picture, cloud and line, '
                             'which loading verifies')
    parser.add_argument('--cameras', nargs='+', default=[], metavar='NAME',
                        help='camera_names of the recipe; others, and those without a picture, are named')


def run(args: argparse.Namespace) -> int:
    """Prints what the file holds and what is wrong with it."""
    from .record_check import check_data
    report = check_data(args.file, args.dataroot, args.classes, args.with_sums, args.cameras)
    print(report.text())
    if args.with_sums is not None and report.is_sound:
        print(args.with_sums)
    return 0 if report.is_sound else 1
