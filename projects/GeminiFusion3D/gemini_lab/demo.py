"""The whole chain on a synthetic nuScenes: from nothing to mAP / NDS, a submission and a report.

Steps: generate, convert, train, test, export, validate, report. A step whose inputs did not change
and whose outputs are as it left them is skipped, so that the same command continues after Ctrl-C
or a kill, and costs seconds when all is done. Logs and states are kept in <work-dir>/steps.

Example:
    python tools/demo.py
    python tools/demo.py --fresh
    python tools/demo.py --steps test report
"""
import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Iterator, List, Optional, Tuple

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from geminifusion3d.jobs import Step, run_steps

REPO = Path(__file__).resolve().parents[3]
TOOLS, CONVERTERS = REPO / 'tools', REPO / 'data_converters'
PLUGIN = REPO / 'projects' / 'GeminiFusion3D' / 'geminifusion3d'
# What a training depends on; the rest of the plugin works on its results.
LEARNING = tuple(PLUGIN / name for name in (
    'alignment', 'camera_bev', 'engine', 'fusion', 'geometry', 'heads', 'lidar_bev', 'ops',
    'sensors', 'classes.py', 'detector.py'))
STEP_NAMES = ('generate', 'convert', 'train', 'test', 'export', 'validate', 'report')
VERSION, SPLIT = 'v1.0-mini', 'mini_val'
CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'


def absolute(path: str) -> Path:
    """Reads a path of the command line; it holds wherever the chain runs."""
    return Path(path).absolute()


def parse_args(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', type=absolute, default=REPO / CONFIG, help='recipe to train')
    parser.add_argument('--data-root', type=absolute, default=REPO / 'data' / 'synthetic',
                        help='where the synthetic dataset lies or is written')
    parser.add_argument('--work-dir', type=absolute, default=REPO / 'work_dirs' / 'demo',
                        help='where checkpoints, metrics, submission and report go')
    parser.add_argument('--steps', nargs='+', choices=STEP_NAMES, default=list(STEP_NAMES),
                        metavar='STEP', help=f'only some of: {" ".join(STEP_NAMES)}')
    parser.add_argument('--fresh', action='store_true',
                        help='remove the work directory first; the dataset stays')
    parser.add_argument('--scenes', type=int, help='scenes to generate (default: all ten)')
    parser.add_argument('--samples-per-scene', type=int, help='key frames of each scene')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings of the config to replace while training and testing')
    return parser.parse_args(arguments)


def shorten(path: Path) -> str:
    """Returns the path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith('..') else relative


def find_keys(node: Any, key: str, dotted: str = '') -> Iterator[str]:
    """Yields the dotted names under which a key stands in a config."""
    children = node.items() if isinstance(node, dict) else enumerate(node)
    for name, child in children:
        if name == key:
            yield f'{dotted}{name}'
        if isinstance(child, (dict, list, tuple)):
            yield from find_keys(child, key, f'{dotted}{name}.')


class Chain:
    """The seven commands, and where each leaves its result.

    Args:
        args: the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        if not args.config.is_file():
            raise UserError(f'config {args.config} does not exist; pass one of configs/demo/')
        self.args = args
        self.config, self.data = shorten(args.config), shorten(args.data_root)
        self.work = args.work_dir
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(dict(option.split('=', 1) for option in args.cfg_options
                                 if option.startswith('train_cfg.max_epochs=')))
        self.checkpoint = self.work / f'epoch_{int(cfg.train_cfg.max_epochs)}.pth'
        self.submission = self.work / 'submission' / 'results_nusc.json'
        moved = [] if self.data == cfg.data_root else [
            f'{name}={self.data}' for name in find_keys(cfg._cfg_dict.to_dict(), 'data_root')]
        settings = moved + args.cfg_options
        self.settings = ['--cfg-options', *settings] if settings else []

    def steps(self) -> List[Step]:
        """Returns the whole chain in its order."""
        return [getattr(self, f'{name}_step')() for name in STEP_NAMES]

    def command(self, tool: str, *arguments: Any) -> Tuple[str, ...]:
        """Returns a call of one of the project's tools."""
        return (sys.executable, shorten(TOOLS / tool), *map(str, arguments))

    def generate_step(self) -> Step:
        """A synthetic world in the official schema."""
        sizes = [f'--{name.replace("_", "-")}={getattr(self.args, name)}'
                 for name in ('scenes', 'samples_per_scene') if getattr(self.args, name)]
        return Step(
            'generate', self.command('create_synthetic.py', '--out', self.data,
                                     '--version', VERSION, '--replace', *sizes),
            sources=(CONVERTERS / 'synthetic', TOOLS / 'create_synthetic.py'),
            # The generator itself removes what it wrote: only it can tell that from somebody's own data.
            outputs=(self.args.data_root / VERSION / 'sample.json',))

    def convert_step(self) -> Step:
        """Tables to info files."""
        infos = [self.args.data_root / f'geminifusion3d_infos_{split}.pkl'
                 for split in ('mini_train', SPLIT)]
        return Step(
            'convert', self.command('create_data.py', 'nuscenes', '--root-path', self.data,
                                    '--version', VERSION, '--out-dir', self.data),
            sources=(*sorted(CONVERTERS.glob('*.py')), TOOLS / 'create_data.py'),
            outputs=tuple(infos))

    def train_step(self) -> Step:
        """Training; a changed recipe starts over, a killed training goes on."""
        return Step(
            'train', self.command('train.py', self.config, '--work-dir',
                                  shorten(self.work), '--resume', 'auto', *self.settings),
            sources=(*LEARNING, REPO / 'configs', self.args.config, TOOLS / 'train.py'),
            outputs=(self.checkpoint,),
            stale=(self.work / 'last_checkpoint', *sorted(self.work.glob('epoch_*.pth'))))

    def test_step(self) -> Step:
        """mAP and NDS by the official devkit."""
        return Step(
            'test', self.command('test.py', self.config, shorten(self.checkpoint),
                                 '--work-dir', shorten(self.work), *self.settings),
            sources=(PLUGIN / 'results', TOOLS / 'test.py'),
            outputs=(self.work / 'metrics_summary.json', self.work / 'results_nusc.json'))

    def export_step(self) -> Step:
        """The test's predictions in the form that the nuScenes server takes."""
        return Step(
            'export', self.command('export_submission.py', self.config, '--predictions',
                                   shorten(self.work / 'results_nusc.json'), '--split', 'val',
                                   '--out', shorten(self.submission.parent), *self.settings),
            sources=(TOOLS / 'export_submission.py',),
            outputs=(self.submission.with_suffix('.zip'), self.submission))

    def validate_step(self) -> Step:
        """Every rule of the server, checked here."""
        return Step(
            'validate', self.command('validate_submission.py', shorten(self.submission),
                                     '--dataroot', self.data, '--version', VERSION,
                                     '--split', SPLIT),
            sources=(TOOLS / 'validate_submission.py',), outputs=(self.submission,))

    def report_step(self) -> Step:
        """One page to look at."""
        report = self.work / 'report.html'
        return Step(
            'report', self.command('make_report.py', '--metrics-dir', shorten(self.work),
                                   '--dataroot', self.data, '--version', VERSION,
                                   '--split', SPLIT, '--train-log', shorten(self.work),
                                   '--config', Path(self.config).stem, '--out', shorten(report)),
            sources=(PLUGIN / 'report', TOOLS / 'make_report.py'), outputs=(report,))


def start_fresh(work_dir: Path) -> None:
    """Removes the work directory of an earlier demo, and no other folder.

    Raises:
        UserError: if the folder holds something else.
    """
    if not work_dir.exists():
        return
    if any(work_dir.iterdir()) and not (work_dir / 'steps').is_dir():
        raise UserError(f'--fresh would remove {work_dir}, which no demo made; '
                        'choose another --work-dir, or remove it yourself')
    shutil.rmtree(work_dir)


def finish(work_dir: Path, seconds: 'dict[str, float]') -> None:
    """Stores the times and the metrics under their documented names, and prints the result."""
    times_path = work_dir / 'times.json'
    times = json.loads(times_path.read_text()) if times_path.exists() else {}
    times.update(seconds)
    write_json(times_path, {name: round(times[name], 1) for name in STEP_NAMES if name in times},
               indent=2)
    summary_path = work_dir / 'metrics_summary.json'
    if summary_path.exists():
        summary = json.loads(summary_path.read_text())
        write_json(work_dir / 'metrics.json', summary, indent=2)
        print(f'mAP {summary["mean_ap"]:.4f}  NDS {summary["nd_score"]:.4f}  ({SPLIT}, '
              'nuscenes-devkit)')
    if (work_dir / 'report.html').exists():
        print(f'report: {shorten(work_dir / "report.html")}')


def main() -> None:
    """Runs the chain and prints mAP, NDS and where the report lies."""
    start = time.monotonic()
    args = parse_args()
    os.chdir(REPO)
    if args.fresh:
        start_fresh(args.work_dir)
    seconds = run_steps(Chain(args).steps(), args.work_dir / 'steps', args.steps)
    finish(args.work_dir, seconds)
    print(f'demo: {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    run_cli(main)
