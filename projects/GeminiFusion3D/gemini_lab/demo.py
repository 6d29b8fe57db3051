"""The whole chain on a synthetic nuScenes: from nothing to mAP / NDS, a submission and a report.

Steps: generate, convert, train, test, export, validate, report. On CPUs two processes train together,
as with tools/dist_train.sh, one thread each. A step whose inputs did not change
and whose outputs are as it left them is skipped, so that the same command continues after Ctrl-C
or a kill, and costs seconds when all is done. Logs and states are kept in <work-dir>/steps.

--quick trains nothing: the weights of an earlier demo, which come with the package, predict on two keyframes
of a world that they have not seen, with pictures and a 3D page.

Example:
    gemini3d demo --quick
    gemini3d demo
    gemini3d demo --fresh
    gemini3d demo --steps test report
"""
import argparse
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any, List, Sequence

from geminifusion3d.atomic import write_json
from geminifusion3d.commands.arguments import add_alias
from geminifusion3d.errors import UserError

from .jobs import PACKAGE, Step, run_steps

REPO = Path(__file__).resolve().parents[3]
LAB, CONFIGS = Path(__file__).resolve().parent, PACKAGE.parent / 'configs'
GEMINI3D = (sys.executable, '-m', 'geminifusion3d')
# What tools/dist_train.sh starts, at a free port and an address that needs no name of this machine. Fixed,
# whatever the number of cores: with another number of processes the same recipe learns something else.
TWO_PROCESSES = (
    sys.executable, '-m', 'geminifusion3d.commands.launch', '--standalone', '--local_addr=127.0.0.1',
    '--nproc_per_node=2', *GEMINI3D[1:])
STEP_NAMES = ('generate', 'convert', 'train', 'test', 'export', 'validate', 'report')
VERSION, SPLIT = 'v1.0-mini', 'mini_val'
CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
# A line of mmengine's log of a training or a test, every so many iterations.
LOGGED = re.compile(r'Epoch\((?:train|test)\)\s*(?:\[(?P<epoch>\d+)\])?\[\s*(?P<done>\d+)/(?P<all>\d+)\]'
                    r'.*?eta: (?P<left>[\w, ]*[\d:]+)(?:.*?\bloss: (?P<loss>[\d.]+|nan|inf))?')
LOG_INTERVAL = 10


def absolute(path: str) -> Path:
    """Reads a path of the command line; it holds wherever the chain runs."""
    return Path(path).absolute()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds recipe, places, steps and size."""
    parser.add_argument('--quick', nargs='?', type=Path, const=Path('work_dirs/quick'), metavar='DIR',
                        help='only predict and draw, with weights that are there; default: work_dirs/quick')
    parser.add_argument('--config', type=absolute, default=REPO / CONFIG, help='recipe to train')
    parser.add_argument('--dataroot', type=absolute, default=REPO / 'data' / 'synthetic', metavar='DIR',
                        help='where the synthetic dataset lies or is written; default: data/synthetic')
    add_alias(parser, '--data-root', dest='dataroot', type=absolute)
    parser.add_argument('--work-dir', type=absolute, default=REPO / 'work_dirs' / 'demo',
                        help='where checkpoints, metrics, submission and report go; default: work_dirs/demo')
    parser.add_argument('--steps', nargs='+', choices=STEP_NAMES, default=list(STEP_NAMES),
                        metavar='STEP', help=f'only some of: {" ".join(STEP_NAMES)}')
    parser.add_argument('--fresh', action='store_true',
                        help='remove the work directory first; the dataset stays')
    parser.add_argument('--scenes', type=int, help='scenes to generate (default: all ten)')
    parser.add_argument('--samples-per-scene', type=int, help='key frames of each scene')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='settings of the config to replace while training and testing')


def shorten(path: Path) -> str:
    """Returns the path as one would type it here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith('..') else relative


def logged_progress(line: str) -> str:
    """Returns how far a training or a test is, from a line of its log; '' if it says nothing about it."""
    found = LOGGED.search(line)
    if not found:
        return ''
    epoch = f'epoch {found["epoch"]}, ' if found['epoch'] else ''
    loss = f'loss {float(found["loss"]):.2f}, ' if found['loss'] else ''
    return f'{epoch}iteration {found["done"]} of {found["all"]}, {loss}{found["left"]} left'


class Chain:
    """The seven commands, and where each leaves its result.

    A step depends on all modules of the product; those of the instruments also on their own.

    Args:
        args: the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        from mmengine.config import Config
        if not args.config.is_file():
            raise UserError(f'config {args.config} does not exist; pass one of configs/demo/')
        self.args = args
        self.config, self.data, self.work = map(shorten, (args.config, args.dataroot, args.work_dir))
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(dict(option.split('=', 1) for option in args.cfg_options
                                 if option.startswith('train_cfg.max_epochs=')))
        self.checkpoint = args.work_dir / f'epoch_{int(cfg.train_cfg.max_epochs)}.pth'
        self.submission = args.work_dir / 'submission' / 'results_nusc.json'
        moved = [] if self.data == cfg.data_root else [f'data_root={self.data}']
        self.settings = moved + args.cfg_options
        self.logged = [f'default_hooks.logger.interval={LOG_INTERVAL}', *self.settings]

    def steps(self) -> List[Step]:
        """Returns the whole chain in its order."""
        return [getattr(self, f'{name}_step')() for name in STEP_NAMES]

    def step(self, name: str, *words: Any, start: Sequence[str] = GEMINI3D, settings: Sequence[str] = (),
             **fields: Any) -> Step:
        """Returns a step that calls one of the project's commands."""
        options = ('--cfg-options', *settings) if settings else ()
        return Step(name=name, command=(*start, *map(str, words), *options),
                    **{'sources': (PACKAGE, CONFIGS, self.args.config), **fields})

    def generate_step(self) -> Step:
        """A synthetic world in the official schema."""
        sizes = [f'--{name.replace("_", "-")}={getattr(self.args, name)}'
                 for name in ('scenes', 'samples_per_scene') if getattr(self.args, name)]
        return self.step('generate', 'synthetic', '--out', self.data, '--version', VERSION, '--replace',
                         # The generator removes what it wrote: nobody else can tell that from data.
                         *sizes, sources=(PACKAGE, LAB / 'synthetic'),
                         outputs=(self.args.dataroot / VERSION / 'sample.json',))

    def convert_step(self) -> Step:
        """Tables to info files."""
        return self.step('convert', 'convert', '--dataroot', self.data, '--version', VERSION,
                         outputs=tuple(self.args.dataroot / f'geminifusion3d_infos_{split}.pkl'
                                       for split in ('mini_train', SPLIT)))

    def train_step(self) -> Step:
        """Training; a changed recipe starts over, a killed training goes on."""
        from geminifusion3d.engine.distributed import runs_on_gpu
        work = self.args.work_dir
        start, launcher = (GEMINI3D, 'none') if runs_on_gpu() else (TWO_PROCESSES, 'pytorch')
        return self.step('train', 'train', self.config, '--work-dir', self.work, '--resume', 'auto',
                         '--launcher', launcher, start=start,
                         settings=self.logged, outputs=(self.checkpoint,), progress=logged_progress,
                         stale=(work / 'last_checkpoint', *sorted(work.glob('epoch_*.pth'))))

    def test_step(self) -> Step:
        """mAP and NDS by the official devkit."""
        work = self.args.work_dir
        return self.step('test', 'test', self.config, shorten(self.checkpoint), '--work-dir', self.work,
                         settings=self.logged, progress=logged_progress,
                         outputs=(work / 'metrics_summary.json', work / 'results_nusc.json'))

    def export_step(self) -> Step:
        """The test's predictions in the form that the nuScenes server takes."""
        return self.step('export', 'export', self.config, '--predictions',
                         shorten(self.args.work_dir / 'results_nusc.json'), '--split', 'val', '--out',
                         shorten(self.submission.parent), settings=self.settings,
                         outputs=(self.submission.with_suffix('.zip'), self.submission))

    def validate_step(self) -> Step:
        """Every rule of the server, checked here."""
        return self.step('validate', 'validate', shorten(self.submission), '--dataroot', self.data,
                         '--version', VERSION, '--split', SPLIT, outputs=(self.submission,))

    def report_step(self) -> Step:
        """One page to look at."""
        return self.step('report', 'report', self.work, sources=(PACKAGE, LAB),
                         outputs=(self.args.work_dir / 'report.html',))


def start_fresh(work_dir: Path) -> None:
    """Removes the work directory of an earlier demo; one that holds something else is refused."""
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
    write_json(times_path, {name: round(times[name], 1) for name in STEP_NAMES if name in times}, indent=2)
    summary_path = work_dir / 'metrics_summary.json'
    if summary_path.exists():
        summary = json.loads(summary_path.read_text())
        write_json(work_dir / 'metrics.json', summary, indent=2)
        print(f'mAP {summary["mean_ap"]:.4f}  NDS {summary["nd_score"]:.4f}  ({SPLIT}, nuscenes-devkit)')
    if (work_dir / 'report.html').exists():
        print(f'report: {shorten(work_dir / "report.html")}')


def run(args: argparse.Namespace) -> None:
    """Runs the chain and prints mAP, NDS and where the report lies."""
    if args.quick:
        from .first_look import look
        look(args.quick)
        return
    start = time.monotonic()
    os.chdir(REPO)
    if args.fresh:
        start_fresh(args.work_dir)
    seconds = run_steps(Chain(args).steps(), args.work_dir / 'steps', args.steps)
    finish(args.work_dir, seconds)
    print(f'demo: {time.monotonic() - start:.0f} s')
