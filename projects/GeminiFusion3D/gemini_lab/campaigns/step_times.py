"""The demo's training step here and in another checkout of this project, in turns, alone or with neighbours.

Each turn is a training in a process of its own, as users start it (tools/train.py, deterministic mode), on
keyframes that both versions have converted. A neighbour is a process that keeps one core busy. Loading, which
goes on in another process in a training, is not included: here it comes between the steps.

Example:
    git clone . work_dirs/before && git -C work_dirs/before checkout 6feb8af
    PYTHONPATH=work_dirs/before/projects/GeminiFusion3D:work_dirs/before python \\
        work_dirs/before/tools/create_data.py nuscenes --root-path data/synthetic --version v1.0-mini \\
        --out-dir data/synthetic
    python -m gemini_lab.campaigns.step_times --before work_dirs/before --dataroot data/synthetic
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

from geminifusion3d.cli import run_cli
from geminifusion3d.commands.arguments import at_least
from geminifusion3d.errors import UserError

from ..benchmark.rows import seconds
from ..text_table import markdown_table
from .step_clock import LOSSES, ORDER, WHOLE

HERE = Path(__file__).resolve().parents[4]
LAB = Path(__file__).resolve().parents[2]
DEMO = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
RECIPE = """_base_ = {base!r}
train_dataloader = dict(num_workers=0, persistent_workers=False)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None
param_scheduler = []
custom_imports = dict(imports=[*_base_.get('custom_imports', dict(imports=[]))['imports'],
                               'gemini_lab.campaigns.step_clock'])
custom_hooks = [*_base_.get('custom_hooks', []),
                dict(type='StepClockHook', out={out!r}, warm_up={warm_up}, steps={steps})]
"""
BUSY = [sys.executable, '-c', 'while True: pass']
BEFORE, AFTER = 'before', 'after'
# Seconds of each stage of each step, by version.
Steps = Dict[str, List[Dict[str, float]]]


def train(checkout: Path, folder: Path, arguments: argparse.Namespace) -> List[Dict[str, float]]:
    """Trains for a few steps in a checkout and returns their seconds by stage.

    Args:
        checkout: root of a version of this project.
        folder: where to work; `data/synthetic` is a link to the dataset.
        arguments: of the command.

    Raises:
        UserError: if the training fails.
    """
    recipe, out = folder / 'recipe.py', folder / 'steps.json'
    recipe.write_text(RECIPE.format(base=str(checkout / DEMO), out=str(out), warm_up=arguments.warm_up,
                                    steps=arguments.steps))
    out.unlink(missing_ok=True)
    paths = [checkout / 'projects' / 'GeminiFusion3D', checkout, LAB]
    # Set by this process' own import; a version decides for itself.
    environment = {key: value for key, value in os.environ.items()
                   if key not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')}
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(checkout / 'tools' / 'train.py'), str(recipe), '--work-dir',
         str(folder / 'run')], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**environment, 'PYTHONPATH': os.pathsep.join(map(str, paths))})
    if not out.is_file():
        raise UserError(f'the training in {checkout} ended with exit code {done.returncode}, expected '
                        f'{out}: {" ".join(done.stdout.strip().splitlines()[-1:])}')
    return json.loads(out.read_text())


def in_turns(arguments: argparse.Namespace, neighbours: int, folder: Path) -> Steps:
    """Returns the steps of both versions, trained in turns beside so many busy processes."""
    found: Steps = {BEFORE: [], AFTER: []}
    with ExitStack() as stack:
        for _ in range(neighbours):
            busy = stack.enter_context(subprocess.Popen(BUSY))
            stack.callback(busy.kill)
        for name, checkout in _turns(arguments):
            steps = train(checkout, folder, arguments)
            found[name] += steps
            print(f'{neighbours} neighbours, {name}: '
                  + ' '.join(seconds(step[WHOLE]) for step in steps), flush=True)
    return found


def _turns(arguments: argparse.Namespace) -> Iterator[Tuple[str, Path]]:
    for turn in range(arguments.rounds):
        pair = [(BEFORE, arguments.before.resolve()), (AFTER, HERE)]
        # What drifts meets each first as often.
        yield from pair if turn % 2 == 0 else reversed(pair)


def table(found: Dict[int, Steps]) -> str:
    """Returns medians by stage, before and after, for each number of neighbours.

    Args:
        found: the steps by number of neighbours.
    """
    rows = []
    every = [step for steps in found.values() for name in (BEFORE, AFTER) for step in steps[name]]
    for stage in (stage for stage in ORDER if all(_of(step, stage) > 0 for step in every)):
        row = [f'**{stage}**' if stage == WHOLE else stage]
        for steps in found.values():
            before, after = (statistics.median(_of(step, stage) for step in steps[name])
                             for name in (BEFORE, AFTER))
            row += [seconds(before), seconds(after), f'{before / after:.2f}']
        rows.append(row)
    words = {0: 'quiet', 1: 'one busy neighbour'}
    heads = [f'{words.get(number, f"{number} busy neighbours")}: {what}' if what == BEFORE else what
             for number in found for what in (BEFORE, AFTER, 'times as fast')]
    return markdown_table(['stage', *heads], rows)


def _of(step: Dict[str, float], stage: str) -> float:
    return step.get('targets and losses' if stage == LOSSES else stage, 0.0)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--before', type=Path, required=True, metavar='DIR', help='the other checkout')
    parser.add_argument('--dataroot', type=Path, required=True, metavar='DIR',
                        help='synthetic world that both versions have converted')
    parser.add_argument('--neighbours', type=at_least(0), nargs='+', default=[0, 1], metavar='N',
                        help='busy processes beside; default: 0 1')
    parser.add_argument('--rounds', type=at_least(1), default=2, metavar='N',
                        help='trainings of each version; default: 2')
    parser.add_argument('--warm-up', type=at_least(0), default=2, metavar='N',
                        help='steps of each that do not count; default: 2')
    parser.add_argument('--steps', type=at_least(1), default=8, metavar='N',
                        help='steps of each that do; default: 8')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write every step to FILE')
    parser.add_argument('--join', type=Path, nargs='+', default=[], metavar='FILE',
                        help='steps that earlier runs wrote with --json join those of this run')
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Measures and prints."""
    arguments = parse(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / 'data').mkdir()
        (folder / 'data' / 'synthetic').symlink_to(arguments.dataroot.resolve())
        found = {number: in_turns(arguments, number, folder) for number in arguments.neighbours}
    for path in arguments.join:
        for number, steps in json.loads(path.read_text()).items():
            for version in (BEFORE, AFTER):
                found.setdefault(int(number), {BEFORE: [], AFTER: []})[version] += steps[version]
    if arguments.json:
        arguments.json.write_text(json.dumps(found))
    print(table(found))


if __name__ == '__main__':
    run_cli(lambda: main(sys.argv[1:]))
