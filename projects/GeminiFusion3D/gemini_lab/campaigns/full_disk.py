"""Every command that writes, on a disk that becomes full while it does.

Each writes into a small file system in memory (tmpfs, which needs the right to mount: root, or a container
of one's own), too small for some part of what it writes: it must end with one sentence and another exit code
than 0, without half a file under a final name and without a temporary one. The same command with space must
then end well, with the files of a run that never lacked any. Exit codes: 0 nothing found, 1 something.

Example:
    sudo .venv/bin/python -m gemini_lab.campaigns.full_disk --out work_dirs/campaigns
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import torch

from geminifusion3d.errors import UserError

from . import campaign_parser
from .bit_flips import build_world
from .kills import LOGS, content, differences
from .tiny_chain import CHAIN, RECIPE_NAME, Command

DISK, AMPLE, PAGE = 'disk', '1g', 4096
# Of what the command writes, so much finds room.
SHARES = (0.05, 0.6, 0.95)
GROWING = ('loss_curve.jsonl', 'onnx_export.json', 'scores.json')
FULL = re.compile('disk is full|No space left')
CHECKPOINT, RESULTS = 'run/epoch_4.pth', 'run/results_nusc.json'
OTHERS_WEIGHTS = 'centerpoint.pth'
MINI_VAL = ('--dataroot', 'data', '--version', 'v1.0-mini', '--split', 'mini_val')
WRITERS: Dict[str, Tuple[str, ...]] = {
    'generate': tuple('disk/data' if word == 'data' else word for word in CHAIN['generate']),
    'generate records': ('synthetic', '--records', '--out', 'disk/records', '--scenes', '2',
                         '--samples-per-scene', '2'),
    'generate kitti': ('synthetic', '--kitti', '--out', 'disk/kitti', '--scenes', '2',
                       '--samples-per-scene', '2'),
    'convert': (*CHAIN['convert'], '--out', 'disk/infos'),
    'convert with radars and check sums': (*CHAIN['convert'], '--radar-sweeps', '2', '--read-all', '--out',
                                           'disk/infos'),
    'convert-kitti': ('convert-kitti', '--dataroot', 'kitti', '--out', 'disk/infos'),
    'check-data': ('check-data', 'records/val.jsonl', '--with-sums', 'disk/summed.jsonl'),
    'train': ('train', RECIPE_NAME, '--work-dir', 'disk/run', '--resume', 'auto'),
    'test': ('test', RECIPE_NAME, CHECKPOINT, '--work-dir', 'disk/test'),
    'export': ('export', RECIPE_NAME, '--predictions', RESULTS, '--out', 'disk/submission'),
    'export-onnx': ('export-onnx', RECIPE_NAME, CHECKPOINT, '--image-size', '64', '192', '--out',
                    'disk/onnx'),
    'ensemble': ('ensemble', RESULTS, 'submission/results_nusc.json', '--out', 'disk/ensemble'),
    'predict': ('predict', RECIPE_NAME, CHECKPOINT, *MINI_VAL, '--limit', '1', '--draw', '--html', '--mcap',
                '--out', 'disk/predictions'),
    'report': ('report', 'run', '--out', 'disk/report.html'),
    'draw': ('draw', *MINI_VAL, '--out', 'disk/keyframe.png'),
    'draw-kitti': ('draw-kitti', '--folder', 'kitti/training', '--out', 'disk/frame.png'),
    'predictions summary': ('predictions', 'summary', RESULTS, '--json', 'disk/summary.json'),
    'predictions draw': ('predictions', 'draw', RESULTS, *MINI_VAL[:4], '--out', 'disk/sample.png'),
    'robustness': ('robustness', RECIPE_NAME, CHECKPOINT, '--corruptions', 'dark', '--severities', '1',
                   '--work-dir', 'disk/robustness'),
    'stats': ('stats', RECIPE_NAME, '--json', 'disk/stats.json'),
    'evaluate': ('evaluate', 'breakdown', RESULTS, '--json', 'disk/breakdown.json'),
    'convert-checkpoint': ('convert-checkpoint', OTHERS_WEIGHTS, 'disk/converted.pth')}


def mount(folder: Path, size: str) -> None:
    """Puts a file system of a size in memory at a folder, or gives the one there another size."""
    folder.mkdir(exist_ok=True)
    option = f'remount,size={size}' if folder.is_mount() else f'size={size}'
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', option, 'tmpfs', str(folder)],
                          capture_output=True, text=True)
    if done.returncode:
        raise UserError(f'cannot mount a tmpfs at {folder} ({done.stderr.strip()}); run this as root, or '
                        'in a container with that right')


def write_others_weights(path: Path) -> None:
    """Writes weights by the names of mmdet3d's CenterPoint, as large as those of a small model."""
    names = ('pts_middle_encoder.conv_input.0.weight', 'pts_backbone.blocks.0.0.weight',
             'pts_bbox_head.task_heads.0.reg.0.conv.weight')
    torch.save({'state_dict': {name: torch.ones(64, 3, 3, 3, 64) for name in names}}, path)


def used_bytes(folder: Path) -> int:
    """Returns how much of a file system is in use."""
    stat = os.statvfs(folder)
    return (stat.f_blocks - stat.f_bfree) * stat.f_frsize


def attack(name: str, world: Path, out: Path) -> List[str]:
    """Runs a command without a limit, on disks of several sizes, with space again; returns what is wrong."""
    words, found, folders = WRITERS[name], [], []

    def fresh(kind: str) -> Path:
        # The same length of name everywhere, since some files hold it.
        folder = out / f'{name.replace(" ", "_")}_{kind}'
        folder.mkdir(parents=True)
        for path in world.iterdir():
            (folder / path.name).symlink_to(path)
        folders.append(folder)
        mount(folder / DISK, AMPLE)
        return folder

    try:
        whole = fresh('whole')
        code, text = Command(whole, words).ended()
        if code:
            return [f'without a limit it ended with {code}: {_end(text)}']
        needed = used_bytes(whole / DISK)
        for share in SHARES:
            folder = fresh(f'{share:.0%}'.rjust(5, '_'))
            # tmpfs has whole pages: a disk for less than one is full before.
            pages, filler = int(needed * share) // PAGE, folder / DISK / 'filler'
            mount(folder / DISK, f'{max(pages, 1) * PAGE // 1024}k')
            if not pages:
                filler.write_bytes(bytes(PAGE))
            code, text = Command(folder, words).ended()
            filler.unlink(missing_ok=True)
            where, errors = f'with {share:.0%} of the space', text.count('error: ')
            if code == 0:
                found.append(f'{where} it ended with 0')
            if errors != 1 or 'Traceback' in text or not FULL.search(text):
                found.append(f'{where} it says: {_end(text)}')
            found += [f'{where}: {what}' for what in _halves(folder / DISK, whole / DISK)]
            mount(folder / DISK, AMPLE)
            code, text = Command(folder, words).ended()
            if code:
                found.append(f'after {where}, the same command ended with {code}: {_end(text)}')
            found += [f'after {where}: {what}' for what in differences(folder / DISK, whole / DISK)]
        return found
    finally:
        for folder in folders:
            subprocess.run(['umount', str(folder / DISK)], check=True)
            if not found:
                shutil.rmtree(folder)


def _halves(folder: Path, whole: Path) -> List[str]:
    """Returns the files of an interrupted run that are not as a whole run leaves them."""
    found = []
    for path in sorted(path for path in folder.rglob('*') if path.is_file()):
        name = str(path.relative_to(folder))
        # Some grow with the work, and own folders hold what the next run goes on with.
        if LOGS.search(name) or path.name in GROWING or any(
                part.startswith('.') and not part.endswith('.part') for part in Path(name).parts):
            continue
        if not (whole / name).is_file():
            # A training has removed its first checkpoints by the end.
            is_whole = path.suffix == '.pth' and _is_readable(path)
            found += [] if is_whole else [f'left over: {name}']
        elif path.name != 'last_checkpoint' and content(folder, name) != content(whole, name):
            found.append(f'half a file: {name}')
    return found


def _is_readable(path: Path) -> bool:
    try:
        content(path.parent, path.name)
    except UserError:
        return False
    return True


def _end(text: str) -> str:
    return ' | '.join(text.replace('\r', '\n').strip().splitlines()[-3:])[-500:]


def run(out: Path, jobs: int = 2, writers: Sequence[str] = tuple(WRITERS)) -> int:
    """Attacks each writer; returns how many were found wanting."""
    os.environ['OMP_NUM_THREADS'] = '1'
    world, cases = (out / 'world').resolve(), (out / 'full_disk').resolve()
    build_world(world)
    write_others_weights(world / OTHERS_WEIGHTS)
    shutil.rmtree(cases, ignore_errors=True)

    def one(name: str) -> Any:
        found = attack(name, world, cases)
        print(f'{name}: ' + ('; '.join(found) or f'good on {len(SHARES)} full disks'), flush=True)
        return bool(found)

    with ThreadPoolExecutor(jobs) as pool:
        bad = sum(pool.map(one, writers))
    print(f'{len(writers)} commands on {len(SHARES) * len(writers)} full disks, {bad} found wanting')
    return bad


if __name__ == '__main__':
    parser = campaign_parser(__doc__, 'where the small world is built and folders that differ are left')
    parser.add_argument('--only', nargs='+', choices=WRITERS, default=list(WRITERS), metavar='COMMAND')
    parser.add_argument('--jobs', type=int, default=2, help='how many at once, default: 2')
    arguments = parser.parse_args()
    sys.exit(1 if run(arguments.out, arguments.jobs, arguments.only) else 0)
