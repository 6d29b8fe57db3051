"""Work in a process of its own, which starts as this one stands: imports are done, caches are empty."""
import gc
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Callable

from geminifusion3d.errors import UserError


def seconds_in_own_process(work: Callable[[], Any], folder: Path) -> float:
    """Runs a function in a forked process and returns the seconds that it took there.

    Args:
        work: what to run; what it prints is dropped, what it raises ends the measurement.
        folder: becomes its working folder.

    Raises:
        UserError: if it raises, or its process ends early.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context('fork').Process(target=_run, args=(work, folder, sender))
    process.start()
    sender.close()
    try:
        outcome = receiver.recv()
    except EOFError:
        outcome = 'its process ended early'
    process.join()
    if not isinstance(outcome, float):
        raise UserError(f'a contestant failed: {outcome}')
    return outcome


def _run(work: Callable[[], Any], folder: Path, sender: Connection) -> None:
    os.chdir(folder)
    _silence()
    # As a command of its own would run, whatever this process does.
    gc.enable()
    begin_s = time.perf_counter()
    try:
        work()
        sender.send(time.perf_counter() - begin_s)
    except BaseException as error:
        sender.send(f'{type(error).__name__}: {error}')


def _silence() -> None:
    """Lets everything printed vanish, by those too who took hold of stdout before."""
    nowhere = open(os.devnull, 'w')
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for descriptor in (1, 2):
        os.dup2(nowhere.fileno(), descriptor)
    sys.stdout = sys.stderr = nowhere
