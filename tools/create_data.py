"""Turns a nuScenes dataset's tables into the files that training and testing read."""
import argparse
import os
from pathlib import Path
from typing import Dict

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError

EXAMPLE = """example:
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-mini \\
      --out-dir data/nuscenes

writes geminifusion3d_infos_<split>.pkl for every split of the version; --splits names others, such as an
entry of <root-path>/<version>/splits.json, or trainval, which is train and val together. A repeated run
writes the same bytes.

With --with-gt-database it also writes gt_database_<split>, the points of every annotated object,
for ground-truth sampling. An interrupted run goes on where it stopped."""


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', choices=['nuscenes'], help='kind of dataset')
    parser.add_argument('--root-path', type=Path, required=True,
                        help='folder that holds samples/, sweeps/, maps/ and the tables')
    parser.add_argument('--version', required=True,
                        help='v1.0-mini, v1.0-trainval, v1.0-test or your own')
    parser.add_argument('--out-dir', type=Path, required=True, help='where the info files go')
    parser.add_argument('--splits', nargs='+', default=[], metavar='SPLIT',
                        help='default: all official splits of the version')
    parser.add_argument('--max-sweeps', type=int, default=10,
                        help='LiDAR sweeps listed before each keyframe (default: 10)')
    parser.add_argument('--workers', type=int, default=os.cpu_count(),
                        help='processes (default: all processors)')
    parser.add_argument('--mark-damaged', action='store_true',
                        help='go on without damaged files: pictures are marked as missing, sweeps left out')
    parser.add_argument('--with-gt-database', nargs='?', const='', metavar='SPLIT',
                        help='build the ground-truth database of a split too (default: the '
                             'version\'s training split)')
    parser.add_argument('--database-sweeps', type=int, default=9,
                        help='sweeps before each keyframe in the ground-truth database; as many as '
                             'the recipe reads (default: 9)')
    return parser.parse_args()


def main() -> None:
    """Converts and prints what was written."""
    args = parse_args()
    if args.with_gt_database is not None and not 0 <= args.database_sweeps <= args.max_sweeps:
        raise UserError(f'got --database-sweeps {args.database_sweeps}; expected 0 to --max-sweeps '
                        f'{args.max_sweeps}, the sweeps that the info file lists')
    paths = convert_nuscenes(args.root_path, args.version, args.out_dir, splits=args.splits,
                             max_sweeps=args.max_sweeps, workers=args.workers,
                             mark_damaged=args.mark_damaged)
    for split, path in paths.items():
        print(f'{split}: {path}')
    if args.with_gt_database is not None:
        build_database(args, paths)


def build_database(args: argparse.Namespace, paths: Dict[str, Path]) -> None:
    """Builds the ground-truth database and prints where it is and what it holds."""
    # mmdet3d's structures take seconds to import, which the conversion alone does not need.
    from geminifusion3d.data_converters.gt_database import (build_gt_database, count_objects, training_split)
    split = args.with_gt_database or training_split(paths)
    if split not in paths:
        raise UserError(f'--with-gt-database {split}: only {", ".join(paths)} have been converted; name '
                        'the split with --splits too')
    folder = build_gt_database(paths[split], args.root_path, args.out_dir,
                               sweeps_num=args.database_sweeps, workers=args.workers)
    print(f'ground-truth database: {folder} ({count_objects(folder)})')


if __name__ == '__main__':
    run_cli(main)
