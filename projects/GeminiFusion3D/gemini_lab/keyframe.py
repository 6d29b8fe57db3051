"""Overfits one real nuScenes keyframe: proof that real calibration, poses and boxes fit together.

Steps: convert, train, test; each is skipped when it is done. Trains and tests on the same frame, so
the score says nothing about a detector. Ends with the mean AP over the classes that have boxes after
the devkit's filters, and exits with 1 below --min-ap.

Example:
    gemini3d keyframe --dataroot /path/to/one/keyframe
"""
import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import List, Tuple

from geminifusion3d.commands.arguments import add_alias
from geminifusion3d.errors import UserError

from .demo import CONFIGS, GEMINI3D, LOG_INTERVAL, REPO, logged_progress
from .jobs import PACKAGE, Step, run_steps

CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_keyframe.py'
VERSION, SPLIT = 'v1.0-mini', 'mini_train'
INFO_FILE = f'geminifusion3d_infos_{SPLIT}.pkl'
READERS = ('train_dataloader.dataset', 'val_dataloader.dataset', 'test_dataloader.dataset',
           'val_evaluator', 'test_evaluator')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the keyframe, places and the least score."""
    default = Path(os.environ.get('GEMINIFUSION3D_KEYFRAME', str(REPO.parent / 'shared/nuscenes_keyframe')))
    parser.add_argument('--dataroot', type=Path, default=default, metavar='DIR',
                        help='dataset root with v1.0-mini; default: $GEMINIFUSION3D_KEYFRAME, or '
                             'shared/nuscenes_keyframe beside this checkout')
    add_alias(parser, '--keyframe', dest='dataroot', type=Path)
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs' / 'keyframe',
                        help='where checkpoints and metrics go; default: work_dirs/keyframe')
    parser.add_argument('--min-ap', type=float, default=0.9, help='exit with 1 below this')


def make_steps(keyframe: Path, work_dir: Path) -> List[Step]:
    """Returns the chain: convert, train, test.

    Args:
        keyframe: dataset root; nothing is written there.
        work_dir: where everything is written.
    """
    infos, weights, sources = work_dir / INFO_FILE, final_checkpoint(work_dir), (PACKAGE, CONFIGS)
    options = ('--cfg-options', f'default_hooks.logger.interval={LOG_INTERVAL}',
               *(f'{reader}.{key}={value}' for reader in READERS
                 for key, value in (('data_root', keyframe), ('ann_file', infos))))
    return [
        Step('convert', (*GEMINI3D, 'convert', '--dataroot', str(keyframe), '--version', VERSION, '--split',
                         SPLIT, '--out', str(work_dir)),
             sources=(PACKAGE, keyframe / VERSION / 'sample.json'), outputs=(infos,)),
        Step('train', (*GEMINI3D, 'train', CONFIG, '--work-dir', str(work_dir), '--resume', 'auto', *options),
             sources=sources, outputs=(weights,), progress=logged_progress,
             stale=(work_dir / 'last_checkpoint', *sorted(work_dir.glob('epoch_*.pth')))),
        Step('test', (*GEMINI3D, 'test', CONFIG, str(weights), '--work-dir', str(work_dir), *options),
             sources=sources, outputs=(work_dir / 'metrics_summary.json',), progress=logged_progress)]


def final_checkpoint(work_dir: Path) -> Path:
    """Returns where training leaves its last weights."""
    from mmengine.config import Config
    return work_dir / f'epoch_{Config.fromfile(REPO / CONFIG).train_cfg.max_epochs}.pth'


def mean_ap_of_present_classes(keyframe: Path, work_dir: Path) -> Tuple[float, List[str]]:
    """Returns the mean over the classes with boxes that count, and their names."""
    from geminifusion3d.results.devkit_eval import open_tables

    from .analysis.ground_truth import score_ground_truth
    summary = json.loads((work_dir / 'metrics_summary.json').read_text())
    tables = open_tables(data_root=keyframe, version=VERSION)
    with tempfile.TemporaryDirectory() as folder:
        absent = score_ground_truth(tables=tables, split=SPLIT, folder=Path(folder)).absent_classes
    present = {name: ap for name, ap in summary['mean_dist_aps'].items() if name not in absent}
    for name, ap in present.items():
        print(f'{name:22s} AP {ap:.4f}')
    return sum(present.values()) / len(present), list(present)


def run(args: argparse.Namespace) -> int:
    """Runs the chain and judges its score."""
    keyframe, work_dir = args.dataroot.resolve(), args.work_dir.resolve()
    if not (keyframe / VERSION / 'sample.json').is_file():
        raise UserError(f'no {VERSION} dataset at {args.dataroot}; pass its root with --dataroot')
    os.chdir(REPO)
    seconds = run_steps(make_steps(keyframe, work_dir), work_dir / 'steps')
    mean_ap, present = mean_ap_of_present_classes(keyframe, work_dir)
    print(f'mean AP over {len(present)} present classes: {mean_ap:.4f} '
          f'({sum(seconds.values()):.0f} s in this run)')
    return 0 if mean_ap >= args.min_ap else 1
