"""Turns a nuScenes dataset's tables into the files that training and testing read.

Writes an info file of every split of the version; --split names others, such as an entry of
<dataroot>/<version>/splits.json, or trainval, which is train and val together. A repeated run writes the same
bytes. With --with-gt-database it also writes the points of every annotated object, for ground-truth sampling.
An interrupted run goes on where it stopped.

Example:
    gemini3d convert --dataroot data/nuscenes --version v1.0-trainval --with-gt-database
"""
import argparse
import os
from pathlib import Path
from typing import Dict

from ..errors import UserError
from .arguments import add_alias, add_dataset
from .dataset import Dataset, choose_dataset

# Whose files are read in a minute or two.
FEW_KEYFRAMES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds dataset, output and what is converted."""
    # As mmdet3d's create_data.py is called: the kind of dataset comes first.
    parser.add_argument('kind', nargs='?', choices=['nuscenes'], default='nuscenes', help=argparse.SUPPRESS)
    add_dataset(parser, split='')
    parser.add_argument('--split', nargs='+', default=[], metavar='NAME',
                        help='default: all official splits of the version')
    add_alias(parser, '--splits', dest='split', nargs='+')
    parser.add_argument('--out', type=Path, metavar='DIR', help='where the files go; default: the dataset')
    add_alias(parser, '--out-dir', dest='out', type=Path)
    parser.add_argument('--mark-damaged', action='store_true',
                        help='go on without damaged files: pictures are marked as missing, sweeps and '
                             'keyframes left out')
    parser.add_argument('--read-all', action=argparse.BooleanOptionalAction,
                        help='decode each picture and read each sweep too: finds damage in the middle of '
                             'files, not only missing, empty and cut ones, and writes down the check sum of '
                             'each file, which loading verifies: a single bit that flips later is found '
                             f'(default: where the tables list up to {FEW_KEYFRAMES} keyframes)')
    parser.add_argument('--max-sweeps', type=int, default=10, metavar='N',
                        help='LiDAR sweeps listed before each keyframe (default: 10)')
    parser.add_argument('--radar-sweeps', type=int, metavar='N',
                        help='list the five radars too, with so many sweeps before each keyframe beside its '
                             'own; for recipes with radar, which read 5 (default: no radars)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), metavar='N',
                        help='processes (default: all processors)')
    parser.add_argument('--with-gt-database', nargs='?', const='', metavar='SPLIT',
                        help='build the ground-truth database of a split too (default: the '
                             'version\'s training split)')
    parser.add_argument('--database-sweeps', type=int, default=9, metavar='N',
                        help='sweeps before each keyframe in the ground-truth database; as many as '
                             'the recipe reads (default: 9)')


def run(args: argparse.Namespace) -> None:
    """Converts and prints what was written."""
    if args.with_gt_database is not None and not 0 <= args.database_sweeps <= args.max_sweeps:
        raise UserError(f'got --database-sweeps {args.database_sweeps}; expected 0 to --max-sweeps '
                        f'{args.max_sweeps}, the sweeps that the info file lists')
    dataset = choose_dataset(argparse.Namespace(**{**vars(args), 'split': None}), needs_split=False)
    from ..data_converters.convert_nuscenes import convert_nuscenes
    out = args.out or dataset.dataroot
    paths = convert_nuscenes(dataset.dataroot, dataset.version, out, splits=args.split,
                             max_sweeps=args.max_sweeps, radar_sweeps=args.radar_sweeps,
                             workers=args.workers,
                             mark_damaged=args.mark_damaged, reads_all=bool(args.read_all),
                             reads_up_to=FEW_KEYFRAMES if args.read_all is None else 0)
    for split, path in paths.items():
        print(f'{split}: {path}')
    if args.with_gt_database is not None:
        _build_database(args, dataset, out, paths)


def _build_database(args: argparse.Namespace, dataset: Dataset, out: Path, paths: Dict[str, Path]) -> None:
    """Builds the ground-truth database and prints where it is and what it holds."""
    # mmdet3d's structures take seconds to import, which the conversion alone does not need.
    from ..data_converters.gt_database import build_gt_database, count_objects, training_split
    split = args.with_gt_database or training_split(paths)
    if split not in paths:
        raise UserError(f'--with-gt-database {split}: only {", ".join(paths)} have been converted; name '
                        'the split with --split too')
    folder = build_gt_database(paths[split], dataset.dataroot, out, sweeps_num=args.database_sweeps,
                               workers=args.workers)
    print(f'ground-truth database: {folder} ({count_objects(folder)})')
