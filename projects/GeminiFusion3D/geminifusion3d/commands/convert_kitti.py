"""Turns KITTI's folders into the info files that mmdet3d's KITTI dataset reads.

Writes an info file of every list in <dataroot>/ImageSets (train, val, trainval, test); nothing else of the
dataset is changed, and no reduced clouds are written: the recipes cut clouds to the picture while they read
them. The check sum of each picture and cloud is written down and verified by loading: a single bit that flips
later is found.

Example:
    gemini3d convert-kitti --dataroot data/kitti
"""
import argparse
from pathlib import Path

from .arguments import add_alias


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds dataset, output and splits."""
    parser.add_argument('--dataroot', type=Path, default=Path('data/kitti'), metavar='DIR',
                        help='folder with ImageSets, training and testing (default: data/kitti)')
    add_alias(parser, '--root-path', '--data-root', dest='dataroot', type=Path)
    parser.add_argument('--split', nargs='+', default=[], metavar='NAME',
                        help='lists of ImageSets (default: all of train, val, trainval, test that are there)')
    parser.add_argument('--out', type=Path, metavar='DIR', help='where the files go; default: the dataset')
    add_alias(parser, '--out-dir', dest='out', type=Path)


def run(args: argparse.Namespace) -> None:
    """Converts and prints what was written."""
    from ..kitti.infos import convert_kitti
    for split, path in convert_kitti(args.dataroot, args.out, args.split).items():
        print(f'{split}: {path}')
