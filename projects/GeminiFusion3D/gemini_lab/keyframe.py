"""Overfits one real nuScenes keyframe: proof that real calibration, poses and boxes fit together.

Steps: convert, train, test; each is skipped when it is done. Trains and tests on the same frame, so
the score says nothing about a detector. Ends with the mean AP over the classes that have boxes after
the devkit's filters, and exits with 1 below --min-ap.

Example:
    python tools/overfit_keyframe.py --keyframe ../shared/nuscenes_keyframe
"""
import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import List, Optional, Tuple

from mmengine.config import Config

from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import open_tables
from .analysis.ground_truth import score_ground_truth
from geminifusion3d.jobs import Step, run_steps

REPO = Path(__file__).resolve().parents[3]
PLUGIN = REPO / 'projects' / 'GeminiFusion3D' / 'geminifusion3d'
CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_keyframe.py'
VERSION, SPLIT = 'v1.0-mini', 'mini_train'
INFO_FILE = f'geminifusion3d_infos_{SPLIT}.pkl'
READERS = ('train_dataloader.dataset', 'val_dataloader.dataset', 'test_dataloader.dataset',
           'val_evaluator', 'test_evaluator')


def parse_args(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get('GEMINIFUSION3D_KEYFRAME', str(REPO.parent / 'shared/nuscenes_keyframe'))
    parser.add_argument('--keyframe', type=Path, default=Path(default),
                        help='dataset root with v1.0-mini; default: $GEMINIFUSION3D_KEYFRAME, or '
                             'shared/nuscenes_keyframe beside this checkout')
    parser.add_argument('--work-dir', type=Path, default=REPO / 'work_dirs' / 'keyframe',
                        help='where checkpoints and metrics go')
    parser.add_argument('--min-ap', type=float, default=0.9, help='exit with 1 below this')
    return parser.parse_args(arguments)


def make_steps(keyframe: Path, work_dir: Path) -> List[Step]:
    """Returns the chain: convert, train, test.

    Args:
        keyframe: dataset root; nothing is written there.
        work_dir: where everything is written.
    """
    tools, infos = REPO / 'tools', work_dir / INFO_FILE
    options = ('--cfg-options', *(f'{reader}.{key}={value}' for reader in READERS
                                  for key, value in (('data_root', keyframe), ('ann_file', infos))))
    weights = final_checkpoint(work_dir)
    return [
        Step('convert', (sys.executable, str(tools / 'create_data.py'), 'nuscenes', '--root-path',
                         str(keyframe), '--version', VERSION, '--splits', SPLIT, '--out-dir',
                         str(work_dir)),
             sources=(REPO / 'data_converters', keyframe / VERSION / 'sample.json'), outputs=(infos,)),
        Step('train', (sys.executable, str(tools / 'train.py'), CONFIG, '--work-dir', str(work_dir),
                       '--resume', 'auto', *options),
             sources=(PLUGIN, REPO / 'configs'), outputs=(weights,),
             stale=(work_dir / 'last_checkpoint', *sorted(work_dir.glob('epoch_*.pth')))),
        Step('test', (sys.executable, str(tools / 'test.py'), CONFIG, str(weights), '--work-dir',
                      str(work_dir), *options),
             sources=(PLUGIN / 'results',), outputs=(work_dir / 'metrics_summary.json',))]


def final_checkpoint(work_dir: Path) -> Path:
    """Returns where training leaves its last weights."""
    return work_dir / f'epoch_{Config.fromfile(REPO / CONFIG).train_cfg.max_epochs}.pth'


def mean_ap_of_present_classes(keyframe: Path, work_dir: Path) -> Tuple[float, List[str]]:
    """Returns the mean over the classes with boxes that count, and their names."""
    summary = json.loads((work_dir / 'metrics_summary.json').read_text())
    tables = open_tables(data_root=keyframe, version=VERSION)
    with tempfile.TemporaryDirectory() as folder:
        absent = score_ground_truth(tables=tables, split=SPLIT, folder=Path(folder)).absent_classes
    present = {name: ap for name, ap in summary['mean_dist_aps'].items() if name not in absent}
    for name, ap in present.items():
        print(f'{name:22s} AP {ap:.4f}')
    return sum(present.values()) / len(present), list(present)


def main() -> int:
    """Runs the chain and judges its score."""
    args = parse_args()
    keyframe, work_dir = args.keyframe.resolve(), args.work_dir.resolve()
    if not (keyframe / VERSION / 'sample.json').is_file():
        raise UserError(f'no {VERSION} dataset at {args.keyframe}; pass its root with --keyframe')
    os.chdir(REPO)
    seconds = run_steps(make_steps(keyframe, work_dir), work_dir / 'steps')
    mean_ap, present = mean_ap_of_present_classes(keyframe, work_dir)
    print(f'mean AP over {len(present)} present classes: {mean_ap:.4f} '
          f'({sum(seconds.values()):.0f} s in this run)')
    return 0 if mean_ap >= args.min_ap else 1


if __name__ == '__main__':
    run_cli(main)
