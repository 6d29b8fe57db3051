"""Overfits a few real KITTI frames: proof that real calibration, labels and boxes fit together.

Trains and tests on the same frames, so the result says nothing about a detector. KITTI's average precision
cannot be used: with one object of a class its best value over 11 recalls is 9.09, over 40 recalls 0. So each
labelled object in the range is compared with the box of its class that overlaps it most; exits with 1 below
--min-iou.

Example:
    gemini3d kitti-frames --folder /path/to/kitti/frames
"""
import argparse
import os
from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from geminifusion3d.errors import UserError

from .demo import REPO

CONFIG = 'configs/kitti/geminifusion_mvxnet_tiny_kitti-frames.py'
INFO_FILE, RESULTS = 'geminifusion3d_kitti_frames.pkl', 'results'


class Found(NamedTuple):
    """A labelled object and the detection of its class that overlaps it most."""

    frame: str
    name: str
    distance_m: float
    score: float
    iou: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the frames, a place and the least overlap."""
    default = Path(os.environ.get('GEMINIFUSION3D_REAL_DATA', str(REPO.parent / 'shared' / 'real'))) / 'kitti'
    parser.add_argument('--folder', type=Path, default=default, metavar='DIR',
                        help='with image_2, velodyne, calib and label_2; nothing is written there (default: '
                             '$GEMINIFUSION3D_REAL_DATA/kitti, or shared/real/kitti beside this checkout)')
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs' / 'kitti_frames',
                        help='where infos, weights and results go; default: work_dirs/kitti_frames')
    parser.add_argument('--min-iou', type=float, default=0.5, help='exit with 1 below this mean')
    parser.add_argument('--epochs', type=int, metavar='N',
                        help='passes over the frames (default: as the recipe)')


def overfit(folder: Path, work_dir: Path, epochs: 'int | None' = None) -> List[Found]:
    """Converts, trains, tests and compares."""
    from geminifusion3d.engine.config_file import load_config
    from geminifusion3d.engine.runner import GeminiRunner
    from geminifusion3d.kitti.infos import frame_info, write_infos
    names = sorted(path.stem for path in (folder / 'label_2').glob('*.txt'))
    if not names:
        raise UserError(f'{folder / "label_2"} holds no label file; pass a folder of KITTI frames with '
                        '--folder')
    infos = write_infos(work_dir / INFO_FILE, [frame_info(folder, name, with_labels=True) for name in names])
    overrides = {'data_root': str(folder), 'ann_file': str(infos)}
    cfg = load_config(str(REPO / CONFIG), {**overrides, **({'max_epochs': epochs} if epochs else {})})
    cfg.val_evaluator.update(ann_file=str(infos), submission_prefix=str(work_dir / RESULTS))
    cfg.work_dir = str(work_dir)
    GeminiRunner.from_cfg(cfg).train()
    reach_m = cfg.point_cloud_range[3:5]
    found = work_dir / RESULTS / 'pred_instances_3d'
    return [one for place, name in enumerate(names)
            for one in _compare(folder / 'label_2' / f'{name}.txt', found / f'{place:06d}.txt',
                                cfg.class_names, reach_m)]


def _compare(truth: Path, result: Path, classes: List[str], reach_m: List[float]) -> List[Found]:
    from geminifusion3d.kitti.labels import read_labels
    from geminifusion3d.results.detection_ap import rotated_overlaps
    boxes, compared = read_labels(result), []
    for label in read_labels(truth):
        x_m, _, z_m = label.location_cam_m
        if label.name not in classes or z_m > reach_m[0] or abs(x_m) > reach_m[1]:
            continue
        own = [box for box in boxes if box.name == label.name]
        overlaps = rotated_overlaps(_upright([label]), _upright(own))[0] if own else np.zeros(1)
        best = int(overlaps.argmax())
        compared.append(Found(truth.stem, label.name, float(np.hypot(x_m, z_m)),
                              own[best].score if own else 0.0, float(overlaps[best])))
    return compared


def _upright(labels: list) -> np.ndarray:
    """Returns boxes (N, 7) in a frame whose z points up: the camera's x, z, -y."""
    return np.array([[label.location_cam_m[0], label.location_cam_m[2],
                      label.size_hwl_m[0] / 2 - label.location_cam_m[1], label.size_hwl_m[2],
                      label.size_hwl_m[1], label.size_hwl_m[0], -label.rotation_y] for label in labels])


def run(args: argparse.Namespace) -> int:
    """Runs the chain and judges the overlaps."""
    folder, work_dir = args.folder.resolve(), args.work_dir.resolve()
    found = overfit(folder, work_dir, args.epochs)
    for one in found:
        print(f'{one.frame} {one.name:11s} {one.distance_m:5.1f} m  score {one.score:.2f}  '
              f'3D IoU {one.iou:.3f}')
    mean = float(np.mean([one.iou for one in found])) if found else 0.0
    print(f'mean 3D IoU of {len(found)} objects: {mean:.3f}')
    return 0 if mean >= args.min_iou else 1
