"""SIGKILL at random moments of every command of the chain; the same command again must mend it.

A command is killed alone (as the kernel does when memory runs out: its workers stay behind) or with all its
processes (as a cluster or a power cut does), at moments spread over the work (seconds of the processors) that
it does undisturbed. Run
again, it must end well and leave what the undisturbed run left: the same names, the same bytes, of a
checkpoint the same tensors and the same records; only times and hardware may differ. The same command goes
on where an earlier one of the same code ended. Exit codes: 0 nothing found, 1 something (the folder is left
for a look), 3 not all done within --minutes.

Example:
    python -m gemini_lab.campaigns.kills --n 100 --out work_dirs/campaigns
"""
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmengine.logging import HistoryBuffer

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint

from ..jobs import PACKAGE, Results, identity
from . import campaign_parser
from .tiny_chain import CHAIN, LAB, RECIPE, RECIPE_NAME, Command

# Training has most to lose.
CYCLE = ('train', 'generate', 'train', 'convert', 'train', 'test', 'export', 'report')
# Where mmengine logs each start.
LOGS = re.compile(r'(^|/)\d{8}_\d{6}(/|$)')
# Fields of JSON files, and of a checkpoint's records, that tell times, speed or hardware.
OF_THE_HOUR = {'date', 'digest', 'created', 'inference', 'time', 'data_time', 'iter_time', 'eta', 'eval_time',
               'train/time', 'train/data_time', 'val/time', 'val/data_time', 'experiment_name', 'sha256'}
ORPHANS_S = 60
DONE, UNFINISHED = 'kills.json', 3


def undisturbed(out: Path) -> Dict[str, float]:
    """Runs the chain; leaves a folder `before_STEP` for each step and `after_STEP`, returns seconds."""
    seconds, before = {}, out / 'start'
    before.mkdir(parents=True)
    (before / RECIPE_NAME).write_text(RECIPE)
    for step, words in CHAIN.items():
        after = out / f'after_{step}'
        shutil.copytree(before, after)
        command = Command(after, words)
        seconds[step] = command.work()
        code, text = command.ended()
        if code:
            raise RuntimeError(f'{" ".join(words)} ended with {code} undisturbed:\n{text}')
        before.rename(out / f'before_{step}')
        before = after
        shutil.copytree(after, out / 'start')
        before = out / 'start'
    return seconds


def differences(folder: Path, expected: Path) -> List[str]:
    """Returns what a folder holds otherwise than another, times aside."""
    names, expected_names = (
        {str(path.relative_to(root)) for path in root.rglob('*')
         if path.is_file() and not LOGS.search(str(path.relative_to(root)))} for root in (folder, expected))
    found = [f'missing: {name}' for name in sorted(expected_names - names)]
    found += [f'left over: {name}' for name in sorted(names - expected_names)]
    return found + [f'differs: {name}' for name in sorted(names & expected_names)
                    if content(folder, name) != content(expected, name)]


def content(folder: Path, name: str) -> Any:
    """Returns what two runs must have alike: not the folder's own name."""
    path = folder / name
    if path.suffix == '.pth':
        return _plain(read_checkpoint(path), str(folder))
    data = path.read_bytes().replace(str(folder).encode(), b'')
    return _plain(json.loads(data), '') if path.name in ('test_run.json', 'provenance.json') else data


def _plain(node: Any, folder: str) -> Any:
    """Returns content in a form that `==` compares, without what tells hour and place."""
    if torch.is_tensor(node):
        flat = node.contiguous().view(-1).view(torch.uint8)
        return str(node.dtype), tuple(node.shape), flat.numpy().tobytes()
    if isinstance(node, dict):
        return {str(key): _plain(value, folder) for key, value in node.items() if str(key) not in OF_THE_HOUR}
    if isinstance(node, (list, tuple)):
        return [_plain(value, folder) for value in node]
    if isinstance(node, str):
        return node.replace(folder, '') if folder else node
    if isinstance(node, HistoryBuffer):
        return [values.tolist() for values in node.data]
    return node if isinstance(node, (int, float, type(None))) else repr(node)


def kill(step: str, after_cpu_s: float, alone: bool, out: Path, name: str) -> Tuple[bool, str, List[str]]:
    """Kills a command and runs it again.

    Args:
        step: of the chain.
        after_cpu_s: how much work is done before.
        alone: kill the command only, not its workers.
        out: where the undisturbed runs lie.
        name: of the folder to do it in.

    Returns:
        Whether it was still at work, how far it was, and what is wrong afterwards.
    """
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(out / f'before_{step}', folder)
    command = Command(folder, CHAIN[step])
    command.work(after_cpu_s)
    if command.wait(0):
        return False, '', []
    (os.kill if alone else os.killpg)(command.pid, signal.SIGKILL)
    command.ended()
    curve = folder / 'run/loss_curve.jsonl'
    far = f'iteration {len(curve.read_text().splitlines())}' if step == 'train' and curve.is_file() else ''
    code, text = Command(folder, CHAIN[step]).ended()
    found = [f'ended with {code}: {text.strip().splitlines()[-1:]}'] if code else []
    found += differences(folder, out / f'after_{step}')
    until_s = time.monotonic() + ORPHANS_S
    while _is_alive(command.pid) and time.monotonic() < until_s:
        time.sleep(0.5)
    if _is_alive(command.pid):
        found.append('processes of the killed command are alive')
    if not found:
        shutil.rmtree(folder)
    return True, far, found


def _is_alive(session: int) -> bool:
    try:
        os.killpg(session, 0)
    except ProcessLookupError:
        return False
    return True


def run(count: int, seed: int, jobs: int, out: Path, cycle: Sequence[str] = CYCLE,
        minutes: float = math.inf) -> int:
    """Kills so many times, those of earlier runs included; returns the exit code."""
    os.environ['OMP_NUM_THREADS'] = '1'
    out, until_s = (out / 'kills').resolve(), time.monotonic() + 60 * minutes
    done = Results(out / DONE, identity(code=[PACKAGE, LAB], plan=[count, seed, *cycle]), restart=True)
    if 'undisturbed' not in done.parts:
        shutil.rmtree(out, ignore_errors=True)
        done.keep('undisturbed', undisturbed(out))
    seconds, keeping = done.parts['undisturbed'], Lock()
    print('undisturbed: ' + ', '.join(f'{step} {value:.0f} s' for step, value in seconds.items()), flush=True)
    steps = [cycle[index % len(cycle)] for index in range(count)]
    of_step = Counter(steps)

    def one(index: int) -> None:
        if str(index) in done.parts or time.monotonic() > until_s:
            return
        step, rng = steps[index], random.Random(f'{seed} {index}')
        stratum = steps[:index].count(step)
        for _ in range(10):
            share, alone = (stratum + rng.random()) / of_step[step], rng.random() < 0.5
            was_killed, far, found = kill(step, share * seconds[step], alone, out, f'{index}_{step}')
            if was_killed:
                break
            # It was faster than undisturbed: the machine does less beside it.
            stratum = rng.randrange(of_step[step])
        with keeping:
            done.keep(str(index), [step if was_killed else f'{step}, not killed', found])
        print(f'{index}: {step} at {share:.0%}{" alone" if alone else ""} {far}: '
              f'{", ".join(found) or "good"}', flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, range(count)))
    kept = [part for name, part in done.parts.items() if name != 'undisturbed']
    bad = sum(bool(found) or kind not in cycle for kind, found in kept)
    print(f'{len(kept)} kills: {dict(Counter(kind for kind, _ in kept))}, {bad} not mended'
          + (f'; see {out}' if bad else ''))
    if len(kept) < count:
        print(f'{count - len(kept)} are left; the same command goes on')
        return UNFINISHED
    if not bad:
        shutil.rmtree(out)
    return int(bad > 0)


if __name__ == '__main__':
    parser = campaign_parser(__doc__, 'where folders that differ are left', n=100, what='kills')
    parser.add_argument('--jobs', type=int, default=2, help='how many at once, default: 2')
    parser.add_argument('--minutes', type=float, default=math.inf,
                        help='begin no kill after so many; the same command goes on')
    arguments = parser.parse_args()
    sys.exit(run(arguments.n, arguments.seed, arguments.jobs, arguments.out, minutes=arguments.minutes))
