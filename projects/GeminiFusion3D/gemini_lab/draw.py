"""Draws LiDAR points, radar returns and ground truth boxes of a keyframe over the six images and from above.

The picture goes through the info file and the transforms that training uses: where points lie on
their objects, conversion, calibration and augmentation agree. --augment 1 draws the same after random
augmentation with seed 1: points must stay on objects.

Example:
    gemini3d draw --dataroot data/synthetic --split mini_val --index 0 --out work_dirs/sensors.png
    gemini3d draw --info-file data/mine/train.jsonl --out work_dirs/mine.jpg
"""
import argparse
from pathlib import Path
from typing import Any, Dict, List

from geminifusion3d.commands.arguments import add_dataset
from geminifusion3d.commands.dataset import choose_dataset
from geminifusion3d.errors import UserError

FINAL_HW = (450, 800)
# Of nuScenes' pictures; others are brought to it first.
WIDTH = 1600
# A mild draw keeps the pictures readable; any other keeps points on objects as well.
AUGMENTATION: List[Dict[str, Any]] = [
    dict(type='GeminiAugmentImages', final_hw=FINAL_HW, resize_range=(0.5, 0.6),
         rotate_range_deg=(-8.0, 8.0), flip=True, training=True, reference_width=WIDTH),
    dict(type='GeminiAugmentScene', rotate_range_rad=(-0.8, 0.8), scale_range=(0.9, 1.1),
         translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5, flip_y_prob=0.5),
]
NO_AUGMENTATION: List[Dict[str, Any]] = [
    dict(type='GeminiAugmentImages', final_hw=FINAL_HW, resize_range=(0.5, 0.5), reference_width=WIDTH),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds dataset, keyframe and output."""
    add_dataset(parser)
    parser.add_argument('--info-file', type=Path, metavar='FILE',
                        help='generic records (.jsonl), or what gemini3d convert wrote elsewhere than in the '
                             'dataset, instead of --version and --split')
    parser.add_argument('--index', type=int, default=0, help='which keyframe (default: the first)')
    parser.add_argument('--sweeps', type=int, default=0, help='sweeps before the keyframe (default: 0)')
    parser.add_argument('--radars', action='store_true',
                        help='radar returns too, as rings with a line to where each is in a second; of '
                             'records that have some, or of gemini3d convert --radar-sweeps')
    parser.add_argument('--augment', type=int, metavar='SEED', help='draw after augmentation')
    parser.add_argument('--out', type=Path, help='the picture, a .png or .jpg file; default: '
                                                 'work_dirs/draw/<info file>_<index>.png')


def run(args: argparse.Namespace) -> None:
    """Draws and writes the picture."""
    info_file = _info_file(args)
    out = args.out or Path('work_dirs/draw') / f'{info_file.stem}_{args.index}.png'
    from geminifusion3d.picture_files import check_picture_name, write_picture
    check_picture_name(out)
    from .sample_picture import draw_sample
    write_picture(out, draw_sample(_load_sample(args, info_file)))
    print(out)


def _info_file(args: argparse.Namespace) -> Path:
    """Returns the info file: as it was named, else in the dataset, else that of the split."""
    if args.info_file is not None:
        inside = (args.dataroot or Path()) / args.info_file
        args.dataroot = args.dataroot or args.info_file.parent
        return args.info_file if args.info_file.is_file() else inside
    from geminifusion3d.results.evaluated_split import info_file_of_split
    dataset = choose_dataset(args)
    args.dataroot = dataset.dataroot
    return info_file_of_split(dataset.dataroot / f'geminifusion3d_infos_{dataset.split}.pkl', dataset.split)


def _load_sample(args: argparse.Namespace, info_file: Path) -> Dict[str, Any]:
    """Runs one keyframe through the transforms."""
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    from geminifusion3d import register
    from geminifusion3d.sensors import GeminiNuScenesDataset, GeminiRecordDataset
    from geminifusion3d.sensors.records import RecordInfos
    register()
    dataset_type: type = GeminiNuScenesDataset
    metainfo, cameras = None, {}
    if info_file.suffix == '.jsonl':
        infos = list(RecordInfos(info_file))
        dataset_type = GeminiRecordDataset
        classes = {box['category'] for info in infos for box in info['instances']}
        metainfo = dict(classes=sorted(classes) or ['any'])
        cameras = dict(camera_names=list(dict.fromkeys(name for info in infos for name in info['images'])))
    pipeline: List[Any] = [
        dict(type='GeminiLoadImages', **cameras), dict(type='GeminiLoadPoints', sweeps_num=args.sweeps),
        *([dict(type='GeminiLoadRadar', sweeps_num=args.sweeps)] if args.radars else []),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True),
        *(NO_AUGMENTATION if args.augment is None else AUGMENTATION)]
    init_default_scope('mmdet3d')
    MMLogger.get_instance('draw', log_level='ERROR')
    dataset = dataset_type(data_root=str(args.dataroot), ann_file=str(info_file.absolute()),
                           metainfo=metainfo, pipeline=pipeline, filter_empty_gt=False,
                           modality=dict(use_camera=True, use_lidar=True, use_radar=args.radars),
                           seed=args.augment or 0)
    if not 0 <= args.index < len(dataset):
        raise UserError(f'{info_file} holds {len(dataset)} keyframes; got --index '
                        f'{args.index}, expected 0 to {len(dataset) - 1}')
    return dataset[args.index]
