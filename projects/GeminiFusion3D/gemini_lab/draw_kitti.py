"""Draws points and labelled boxes of a KITTI frame over its picture and from above.

The picture goes through the matrices that training uses: where points lie on their objects, calibration,
labels and their conversion agree.

Example:
    gemini3d draw-kitti --folder data/kitti/training --frame 000002 --out work_dirs/kitti.png
"""
import argparse
from pathlib import Path

from geminifusion3d.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds frame and output."""
    parser.add_argument('--folder', type=Path, default=Path('data/kitti/training'), metavar='DIR',
                        help='with image_2, velodyne, calib, label_2 (default: data/kitti/training)')
    parser.add_argument('--frame', default='000000', metavar='NUMBER', help='which frame (default: 000000)')
    parser.add_argument('--out', type=Path, help='the picture, a .png or .jpg file; default: '
                                                 'work_dirs/draw/kitti_<frame>.png')


def run(args: argparse.Namespace) -> None:
    """Draws and writes the picture."""
    if not (args.frame.isascii() and args.frame.isdigit()):
        raise UserError(f'got --frame {args.frame}; expected the number of a frame, such as 000002')
    out = args.out or Path('work_dirs/draw') / f'kitti_{args.frame}.png'
    from geminifusion3d.picture_files import check_picture_name, write_picture
    check_picture_name(out)
    from .sample_picture import draw_kitti_frame
    write_picture(out, draw_kitti_frame(args.folder, args.frame))
    print(out)
