"""How much memory full-size work takes: nuScenes trainval made up, one row of the table at a time.

Each row is a command of the product in a process of its own. What it and its children hold is added up
every half second: proportional set size (PSS), in which what processes share counts once. Rows build on what
earlier ones wrote to the folder; the devkit's row is its own evaluation of the same file.

Example:
    python -m gemini_lab.campaigns.memory evaluation devkit export report --folder work_dirs/memory
    python -m gemini_lab.campaigns.memory converter training --write docs/evaluation.md
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError

from ..markdown_block import write_block
from .full_size import SAMPLES, VERSION, link_files, write_tables

GIB = 1 << 30
PERIOD_S = 0.5
# With less left, the machine would look for a process to kill.
LEAST_LEFT = 2 * GIB
BOXES = 500
RANKS = 8
BLOCK, MODULE = 'memory', 'gemini_lab.campaigns.memory'
CONFIG = Path(__file__).parents[2] / 'configs' / 'demo' / 'geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
TRAINING = """_base_ = {base!r}
train_dataloader = dict(dataset=dict(_delete_=True, type='GeminiCBGSDataset', dataset=dict(
    type='GeminiNuScenesDataset', data_root={root!r}, ann_file='geminifusion3d_infos_train.pkl',
    modality=dict(use_camera=True, use_lidar=True), pipeline=_base_.train_pipeline)))
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
param_scheduler = []
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=1)
custom_imports = dict(imports=[*_base_.get('custom_imports', dict(imports=[]))['imports'],
                               'gemini_lab.campaigns.first_batch'])
custom_hooks = [*_base_.get('custom_hooks', []), dict(type='EndAtFirstBatchHook')]
"""
EVALUATION = """_base_ = {base!r}
data_root = {root!r}
test_dataloader = dict(dataset=dict(data_root=data_root, ann_file='geminifusion3d_infos_val.pkl'))
test_evaluator = dict(data_root=data_root, ann_file='geminifusion3d_infos_val.pkl')
"""


class Row(NamedTuple):
    """One row of the table.

    Attributes:
        what: for people.
        goal: for people.
        needs_full: whether the whole dataset is read, not the keyframes of val.
        command: what is run, given the folder.
        before: GiB at commit 6feb8af, before memory was looked at, for people.
    """

    what: str
    goal: str
    needs_full: bool
    command: Callable[[Path], List[str]]
    before: str = ''


class Peak(NamedTuple):
    """The most that a command and its children held together.

    Attributes:
        pss_gib: proportional set size.
        private_gib: what no other process shares.
        seconds: of the clock on the wall.
    """

    pss_gib: float
    private_gib: float
    seconds: float


def measure(command: List[str], log: Path, environment: Optional[Mapping[str, str]] = None) -> Peak:
    """Runs a command and returns its peak; its output goes to the log. UserError if it fails."""
    began_s, most_pss, most_private = time.monotonic(), 0, 0
    with log.open('wb') as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                                   env={**os.environ, **(environment or {})})
        try:
            while process.poll() is None:
                pss, private = held_bytes(process.pid)
                most_pss, most_private = max(most_pss, pss), max(most_private, private)
                if available_bytes() < LEAST_LEFT:
                    raise UserError(f'{" ".join(command)} was stopped at {most_pss / GIB:.2f} GiB: the '
                                    f'machine has less than {LEAST_LEFT / GIB:.0f} GiB left; end other work')
                time.sleep(PERIOD_S)
        finally:
            if process.poll() is None:
                for one in family(process.pid):
                    with suppress(ProcessLookupError):
                        os.kill(one, signal.SIGKILL)
                process.wait()
    if process.returncode:
        last = log.read_text(errors='replace').strip().splitlines()[-1:]
        raise UserError(f'{" ".join(command)} ended with exit code {process.returncode}; {log} says why: '
                        f'{" ".join(last)}')
    return Peak(most_pss / GIB, most_private / GIB, time.monotonic() - began_s)


def available_bytes() -> int:
    """Returns how much memory new work can get."""
    lines = Path('/proc/meminfo').read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith('MemAvailable'))


def held_bytes(parent: int) -> Tuple[int, int]:
    """Returns proportional and private bytes of a process and all below it, in whatever session they are."""
    pss = private = 0
    for process in family(parent):
        try:
            lines = Path('/proc', str(process), 'smaps_rollup').read_text().splitlines()[1:]
        except OSError:
            continue  # it has ended
        kib = {name: int(value.split()[0]) for name, _, value in (line.partition(':') for line in lines)}
        pss += kib['Pss'] << 10
        private += kib['Private_Clean'] + kib['Private_Dirty'] << 10
    return pss, private


def family(parent: int) -> List[int]:
    """Returns the numbers of a process and of all below it."""
    children: Dict[int, List[int]] = {}
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            above = int((folder / 'stat').read_text().rpartition(') ')[2].split()[1])
        except OSError:
            continue  # it has ended
        children.setdefault(above, []).append(int(folder.name))
    found = [parent]
    for process in found:
        found += children.get(process, ())
    return found


def score(folder: str) -> None:
    """Scores 500 made-up boxes a sample with the metric of a test run; the process of a row runs this."""
    import numpy as np
    import torch
    from mmdet3d.structures import LiDARInstance3DBoxes
    from mmengine.registry import DefaultScope

    from geminifusion3d.results.nuscenes_metric import GeminiNuScenesMetric
    DefaultScope.get_instance('memory', scope_name='mmdet3d')
    metric = GeminiNuScenesMetric(
        data_root=f'{folder}/val', ann_file='geminifusion3d_infos_val.pkl', out_dir=f'{folder}/run',
        meta=dict(use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False))
    for index, frame in enumerate(metric.infos.frames):
        numbers = np.random.default_rng(index)
        angle, range_m = numbers.uniform(-np.pi, np.pi, BOXES), numbers.uniform(1, 29, BOXES)
        boxes = np.column_stack([
            range_m * np.cos(angle), range_m * np.sin(angle), numbers.normal(-1, 0.3, BOXES),
            numbers.uniform(0.5, 6, (BOXES, 3)), angle, numbers.normal(0, 2, (BOXES, 2))])
        metric.process({}, [dict(sample_idx=index, token=frame.token, pred_instances_3d=dict(
            bboxes_3d=LiDARInstance3DBoxes(torch.tensor(boxes, dtype=torch.float32), box_dim=9),
            scores_3d=torch.tensor(numbers.beta(1, 5, BOXES)),
            labels_3d=torch.tensor(numbers.integers(0, 10, BOXES))))])
    print(metric.evaluate(len(metric.infos.frames)))


def _gemini3d(*arguments: Any) -> List[str]:
    return [sys.executable, '-m', 'geminifusion3d', *map(str, arguments)]


def _training(folder: Path) -> List[str]:
    config = folder / 'training.py'
    config.write_text(TRAINING.format(base=str(CONFIG), root=str((folder / 'full').resolve())))
    return [sys.executable, '-m', 'geminifusion3d.commands.launch', f'--nproc_per_node={RANKS}',
            '--master_port=29513', '-m', 'geminifusion3d', 'train', str(config), '--launcher', 'pytorch',
            '--work-dir', str(folder / 'training')]


def _export(folder: Path) -> List[str]:
    config = folder / 'evaluation.py'
    config.write_text(EVALUATION.format(base=str(CONFIG), root=str((folder / 'val').resolve())))
    return _gemini3d('export', config, '--predictions', folder / 'run' / 'results_nusc.json',
                     '--split', 'val', '--out', folder / 'export')


def _report(folder: Path) -> List[str]:
    return _gemini3d('report', folder / 'run', '--dataroot', folder / 'val', '--version', VERSION,
                     '--split', 'val', '--out', folder / 'report.html', '--resamples', 2)


ROWS: Dict[str, Row] = {
    'evaluation': Row('evaluation of 6,019 samples x 500 boxes', "the devkit's own + 1 GiB", False,
                      lambda folder: [sys.executable, '-c',
                                      f'from {MODULE} import score; score({str(folder)!r})'], '20'),
    'devkit': Row("the devkit's own evaluation of the same file", '', False, lambda folder: [
        sys.executable, '-m', 'nuscenes.eval.detection.evaluate', f'{folder}/run/results_nusc.json',
        '--output_dir', f'{folder}/devkit', '--eval_set', 'val', '--dataroot', f'{folder}/val',
        '--version', VERSION, '--plot_examples', '0', '--render_curves', '0', '--verbose', '0']),
    'export': Row('export of 6,019 samples x 500 boxes', '2 GiB', False, _export, '7.4'),
    'report': Row('report of 6,019 samples x 500 boxes, 2 resamples', '2 GiB', False, _report),
    'converter': Row('converter: 34,149 samples, 2.6 million shots', '8 GiB', True, lambda folder: _gemini3d(
        'convert', '--dataroot', folder / 'full', '--version', VERSION, '--workers', 2)),
    'training': Row('training start of 8 processes to their first batch, 28,130 samples, class-balanced',
                    '8 GiB together', True, _training, '38')}


def prepare(folder: Path, row: Row, every: int = 1) -> None:
    """Makes up what a row reads, once."""
    root, splits = (folder / 'full', tuple(SAMPLES)) if row.needs_full else (folder / 'val', ('val', ))
    write_tables(root, splits, keyframes_only=not row.needs_full, every=every)
    link_files(root, splits, keyframes_only=not row.needs_full, every=every)
    if not row.needs_full and not (root / 'geminifusion3d_infos_val.pkl').exists():
        measure(_gemini3d('convert', '--dataroot', root, '--version', VERSION, '--split', 'val',
                          '--workers', 1), folder / 'prepare.log')


def _share(every: int) -> str:
    return 'all' if every == 1 else f'1 of {every}'


def table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the Markdown table of what was measured."""
    lines = ['| what | scenes | before, GiB | peak, GiB | of it private | goal | time | date |',
             '|' + '---|' * 8]
    lines += [f'| {ROWS[name].what} | {_share(row["every"])} | {ROWS[name].before} | {row["pss_gib"]:.2f} | '
              f'{row["private_gib"]:.2f} | {ROWS[name].goal} | {row["seconds"] / 60:.0f} min | '
              f'{row["date"]} |'
              for name, row in figures.items()]
    return '\n'.join(lines)


def main() -> None:
    """Measures rows, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('rows', nargs='*', choices=[*ROWS, []], metavar='ROW',
                        help=f'some of {", ".join(ROWS)}')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/memory'),
                        help='made-up data and figures; 6 GB')
    parser.add_argument('--write', type=Path, metavar='FILE',
                        help='Markdown file with the block of the table')
    parser.add_argument('--every', type=int, default=1, metavar='N',
                        help='one scene of N, for a machine with less time or memory; a folder of its own')
    arguments = parser.parse_args()
    path = arguments.folder / 'memory.json'
    figures = json.loads(path.read_text()) if path.is_file() else {}
    for name in arguments.rows:
        prepare(arguments.folder, ROWS[name], arguments.every)
        peak = measure(ROWS[name].command(arguments.folder), arguments.folder / f'{name}.log')
        figures[name] = {**peak._asdict(), 'every': arguments.every, 'date': date.today().isoformat()}
        figures = {name: figures[name] for name in ROWS if name in figures}
        write_json(path, figures, indent=1)
        print(f'{name}: {peak}', flush=True)
    if arguments.write:
        write_block(arguments.write, BLOCK, table(figures))
    print(table(figures))


if __name__ == '__main__':
    main()
