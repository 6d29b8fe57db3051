"""Parallel work keeps the order, passes failures on and leaves no process behind."""
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from geminifusion3d.data_converters.parallel import map_with_progress

SLEEPERS = r"""
import os, time
from data_converters.parallel import map_with_progress
def work(shared, task):
    os.write(1, b'%d\n' % os.getpid())  # one write: two workers' lines cannot mix
    time.sleep(60)
list(map_with_progress(work, [1, 2], shared=None, workers=2, description=''))
"""


def scaled(factor: int, task: int) -> int:
    time.sleep(0.02 * (4 - task))
    return factor * task


def fails_at_two(shared: None, task: int) -> int:
    if task == 2:
        raise ValueError('two')
    return task


@pytest.mark.parametrize('workers', [1, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    assert list(map_with_progress(scaled, [1, 2, 3], shared=10, workers=workers,
                                  description='tests')) == [10, 20, 30]


@pytest.mark.parametrize('workers', [1, 2])
def test_a_failure_in_a_worker_reaches_the_caller(workers):
    with pytest.raises(ValueError, match='two'):
        list(map_with_progress(fails_at_two, [1, 2, 3], shared=None, workers=workers,
                               description='tests'))


def fails_first(folder: Path, task: int) -> None:
    (folder / str(task)).touch()
    if task == 0:
        raise ValueError('first')
    time.sleep(0.1)


def test_after_a_failure_what_has_not_begun_is_left(tmp_path):
    with pytest.raises(ValueError, match='first'):
        list(map_with_progress(fails_first, list(range(40)), shared=tmp_path, workers=2, description='tests'))
    assert 1 <= len(list(tmp_path.iterdir())) < 20


def test_workers_end_when_their_parent_is_killed():
    parent = subprocess.Popen([sys.executable, '-c', SLEEPERS], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, workers))


def is_running(process: int) -> bool:
    try:
        with open(f'/proc/{process}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
    finally:
        assert process != os.getpid()


def threads_of_torch(shared: None, task: int) -> int:
    return torch.get_num_threads()


def test_each_worker_is_one_thread_whatever_the_parent_is():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(map_with_progress(threads_of_torch, [1, 2], shared=None, workers=2,
                                      description='tests')) == [1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def _fails(shared, task):
    raise OSError(task)


def _run_into_an_error():
    with pytest.raises(OSError):
        list(map_with_progress(_fails, [1, 2, 3, 4], shared=None, workers=2, description='tasks'))


def test_a_process_of_multiprocessing_ends_after_an_error():
    process = multiprocessing.get_context('fork').Process(target=_run_into_an_error)
    process.start()
    process.join(60)
    code = process.exitcode
    process.kill()
    assert code == 0
