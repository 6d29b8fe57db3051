"""Turns a nuScenes dataset's tables into the info files that training and testing read."""
import argparse
import os
from pathlib import Path

from data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.cli import run_cli

EXAMPLE = """example:
  python tools/create_data.py nuscenes --root-path data/nuscenes --version v1.0-mini \\
      --out-dir data/nuscenes

writes nuscenes_infos_<split>.pkl for every split of the version; --splits names others, such as an
entry of <root-path>/<version>/splits.json. A repeated run writes the same bytes."""


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
    return parser.parse_args()


def main() -> None:
    """Converts and prints what was written."""
    args = parse_args()
    paths = convert_nuscenes(args.root_path, args.version, args.out_dir, splits=args.splits,
                             max_sweeps=args.max_sweeps, workers=args.workers)
    for split, path in paths.items():
        print(f'{split}: {path}')


if __name__ == '__main__':
    run_cli(main)
