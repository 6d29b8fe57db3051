"""MVX-Net, the control and GeminiFusion on the synthetic world in KITTI's format, several seeds each.

The control adds picture and points behind every layer, as GeminiFusion's recipe fuses there, but without
GeminiFusion. Finished trainings are kept: the same command goes on. Ends with a table of 3D average
precision.

Example:
    gemini3d kitti-compare --dataroot data/kitti_synthetic --seeds 0 1 2
"""
import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List

from geminifusion3d.atomic import unsealed
from geminifusion3d.errors import UserError

from .demo import GEMINI3D, REPO

MODELS = {'mvxnet': 'MVX-Net', 'mvxnet-every-layer': 'control: sum behind every layer',
          'geminifusion_mvxnet': 'GeminiFusion behind every layer'}
CLASSES = ('Car', 'Pedestrian', 'Cyclist')
SCORE = 'pred_instances_3d/KITTI/{}_3D_{}_moderate_{}'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds dataset, place and runs."""
    parser.add_argument('--dataroot', type=Path, default=Path('data/kitti_synthetic'), metavar='DIR',
                        help='what gemini3d synthetic --kitti and convert-kitti wrote (default: '
                             'data/kitti_synthetic)')
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/kitti_compare'),
                        help='where trainings go; default: work_dirs/kitti_compare')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='S', help='default: 0 1 2')
    parser.add_argument('--models', nargs='+', choices=list(MODELS), default=list(MODELS), metavar='NAME',
                        help=f'some of {", ".join(MODELS)} (default: all)')
    parser.add_argument('--table-only', action='store_true', help='train nothing, print what is there')


def run(args: argparse.Namespace) -> int:
    """Trains what is left to train and prints the table; the exit code of the first training that failed."""
    import subprocess

    from geminifusion3d.kitti.metric import SCORES_NAME
    finished: Dict[str, List[Dict[str, float]]] = {name: [] for name in args.models}
    for seed in args.seeds:
        for name in args.models:
            folder = args.work_dir / f'{name}_{seed}'
            if not (folder / SCORES_NAME).is_file() and not args.table_only:
                print(f'{name}, seed {seed}: {folder}', flush=True)
                config = REPO / 'configs' / 'kitti' / f'{name}_tiny_kitti-synthetic.py'
                ended = subprocess.run(
                    [*GEMINI3D, 'train', str(config), '--seed', str(seed), '--work-dir', str(folder),
                     '--resume', 'auto', '--cfg-options', f'data_root={args.dataroot}'], stdout=sys.stderr)
                if ended.returncode:
                    return ended.returncode
            if (folder / SCORES_NAME).is_file():
                finished[name].append(_scores(folder / SCORES_NAME))
    print(table(finished))
    return 0


def _scores(path: Path) -> Dict[str, float]:
    try:
        return dict(unsealed(json.loads(path.read_text())))
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f'{path} cannot be used ({error}); remove it, and the training is tested again'
                        ) from error


def table(finished: Dict[str, List[Dict[str, float]]]) -> str:
    """Returns the 3D average precision over 40 recalls, moderate, mean and spread over the seeds."""
    from .compare.table import Figure
    from .text_table import markdown_table
    columns = [(name, strictness) for name in CLASSES for strictness in ('strict', 'loose')]
    header = ['model', 'seeds', *(f'{name}, {strictness}' for name, strictness in columns)]
    rows = [[MODELS[model], str(len(runs)), *(
        f'{Figure.of([scores[SCORE.format(name, "AP40", strictness)] for scores in runs]):.1f}'
        for name, strictness in columns)] for model, runs in finished.items() if runs]
    return markdown_table(header, rows)
