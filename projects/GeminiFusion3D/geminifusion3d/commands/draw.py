"""Draws LiDAR points and ground truth boxes over the six images and from above.

The picture goes through the info file and the transforms that training uses: where points lie on
their objects, conversion, calibration and augmentation agree.
"""
import argparse
from pathlib import Path
from typing import Any, Dict, List

import cv2
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from ..atomic import atomic_write
from ..cli import run_cli
from ..errors import UserError
from ..sensors import GeminiNuScenesDataset
from ..sensors.draw import draw_sample

EXAMPLE = """example:
  python tools/draw_sensors.py --root-path data/synthetic \\
      --info-file geminifusion3d_infos_mini_val.pkl --index 0 --out work_dirs/sensors.png

--augment 1 draws the same after random augmentation with seed 1: points must stay on objects."""
FINAL_HW = (450, 800)
# A mild draw keeps the pictures readable; any other keeps points on objects as well.
AUGMENTATION: List[Dict[str, Any]] = [
    dict(type='GeminiAugmentImages', final_hw=FINAL_HW, resize_range=(0.5, 0.6),
         rotate_range_deg=(-8.0, 8.0), flip=True, training=True),
    dict(type='GeminiAugmentScene', rotate_range_rad=(-0.8, 0.8), scale_range=(0.9, 1.1),
         translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5, flip_y_prob=0.5),
]
NO_AUGMENTATION: List[Dict[str, Any]] = [
    dict(type='GeminiAugmentImages', final_hw=FINAL_HW, resize_range=(0.5, 0.5)),
]


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--root-path', required=True, help='the dataset that was converted')
    parser.add_argument('--info-file', required=True,
                        help='written by tools/create_data.py; absolute or inside the root')
    parser.add_argument('--index', type=int, default=0, help='which keyframe (default: the first)')
    parser.add_argument('--sweeps', type=int, default=0,
                        help='LiDAR sweeps before the keyframe (default: 0)')
    parser.add_argument('--augment', type=int, metavar='SEED', help='draw after augmentation')
    parser.add_argument('--out', type=Path, required=True, help='the picture, a .png or .jpg file')
    return parser.parse_args()


def load_sample(args: argparse.Namespace) -> Dict[str, Any]:
    """Runs one keyframe through the transforms."""
    pipeline = [dict(type='GeminiLoadImages'),
                dict(type='GeminiLoadPoints', sweeps_num=args.sweeps),
                dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
                *(NO_AUGMENTATION if args.augment is None else AUGMENTATION)]
    init_default_scope('mmdet3d')
    MMLogger.get_instance('draw_sensors', log_level='ERROR')
    dataset = GeminiNuScenesDataset(data_root=args.root_path, ann_file=args.info_file,
                                    pipeline=pipeline, filter_empty_gt=False,
                                    seed=args.augment or 0)
    if not 0 <= args.index < len(dataset):
        raise UserError(f'{args.info_file} holds {len(dataset)} keyframes; got --index '
                        f'{args.index}, expected 0 to {len(dataset) - 1}')
    return dataset[args.index]


def main() -> None:
    """Draws and writes the picture."""
    args = parse_args()
    if args.out.suffix not in ('.png', '.jpg'):
        raise UserError(f'got --out {args.out}; expected a name that ends in .png or .jpg')
    picture = draw_sample(load_sample(args))
    with atomic_write(args.out) as part:
        part.write_bytes(cv2.imencode(args.out.suffix, picture)[1].tobytes())
    print(args.out)


if __name__ == '__main__':
    run_cli(main)
