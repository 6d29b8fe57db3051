"""Works through many runs, several side by side, each on a core of its own, and says how far it is."""
import importlib
import multiprocessing
import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Mapping, Optional, Sequence, Tuple

from geminifusion3d.errors import UserError

from .runs import LOG_FILE, Run

POLL_S = 0.5
SAY_EVERY_S = 60.0
# Of a process (multiprocessing.Process has all of it): is_alive, exitcode, terminate, join.
Launch = Callable[[Run, int], Any]


def with_all_sensors(result: Mapping[str, Any]) -> str:
    """Returns the scores of the comparison's result, nothing silent."""
    score = result['scores']['all']
    return f'mAP {score["mAP"]:.3f} NDS {score["NDS"]:.3f}'


class Queue:
    """Runs what is not done yet.

    Args:
        runs: all runs, in the order in which they shall be made.
        jobs: how many side by side.
        launch: starts a run in a place, 0 to jobs - 1, and returns its process.
        say: shows one line.
        poll_s: seconds between two looks at the processes.
        describe: a few words about a result.
    """

    def __init__(self, *, runs: Sequence[Run], jobs: int, launch: Launch,
                 say: Callable[[str], None] = print, poll_s: float = POLL_S,
                 describe: Callable[[Mapping[str, Any]], str] = with_all_sensors) -> None:
        self.runs = list(runs)
        self.jobs = jobs
        self.launch = launch
        self.say = say
        self.poll_s = poll_s
        self.describe = describe
        self.active: Dict[int, Tuple[Run, Any, float]] = {}
        self.seconds: List[float] = []
        self.failed: List[Run] = []

    def work(self) -> List[Run]:
        """Returns the runs that failed, when all others are done."""
        waiting = deque(run for run in self.runs if run.result() is None)
        done = len(self.runs) - len(waiting)
        self.say(f'{done} of {len(self.runs)} runs are done')
        replaced = ', '.join(run.name for run in waiting if run.is_of_something_else())
        if replaced:
            self.say(f'recipe, data or code changed since these were made, so they are made anew: {replaced}')
        said = time.monotonic()
        try:
            while waiting or self.active:
                self._fill(waiting)
                time.sleep(self.poll_s)
                has_news = self._collect(waiting)
                if not has_news and time.monotonic() - said > SAY_EVERY_S and self.active:
                    has_news = True
                    self.say(self._line('at work', waiting))
                said = time.monotonic() if has_news else said
        finally:
            self._stop()
        return self.failed

    def _fill(self, waiting: Deque[Run]) -> None:
        for place in range(self.jobs):
            if place not in self.active and waiting:
                run = waiting.popleft()
                self.active[place] = (run, self.launch(run, place), time.monotonic())

    def _collect(self, waiting: Deque[Run]) -> bool:
        """Takes note of the processes that ended; says so and returns whether there were any."""
        ended = [place for place, (_, process, _) in self.active.items() if not process.is_alive()]
        for place in ended:
            run, process, start_s = self.active.pop(place)
            process.join()
            result = run.result()
            if result is None:
                self.failed.append(run)
                self.say(self._line(f'{run.name} FAILED (exit code {process.exitcode})', waiting))
                continue
            self.seconds.append(time.monotonic() - start_s)
            self.say(self._line(f'{run.name}: {self.describe(result)} in {self.seconds[-1]:.0f} s', waiting))
        return bool(ended)

    def _line(self, news: str, waiting: Deque[Run]) -> str:
        open_runs = len(waiting) + len(self.active)
        done = len(self.runs) - open_runs - len(self.failed)
        at_work = ', '.join(run.name for run, _, _ in self.active.values())
        left = self._seconds_left(len(waiting))
        about = '' if left is None else f', about {left / 60:.0f} min left'
        return f'[{done}/{len(self.runs)}{about}] {news}' + (f' | now: {at_work}' if at_work else '')

    def _seconds_left(self, n_waiting: int) -> Optional[float]:
        """Estimates from the runs that this command finished; None before the first."""
        if not self.seconds:
            return None
        mean_s, now = sum(self.seconds) / len(self.seconds), time.monotonic()
        rest_s = [max(0.0, mean_s - (now - start_s)) for _, _, start_s in self.active.values()]
        return max((sum(rest_s) + n_waiting * mean_s) / self.jobs, max(rest_s, default=0.0))

    def _stop(self) -> None:
        for _, process, _ in self.active.values():
            process.terminate()
        for _, process, _ in self.active.values():
            process.join()


def launcher(jobs: int, worker: str) -> Any:
    """Returns what starts a run in a process of its own, which finds the imports of its worker done."""
    for library in ('OMP', 'MKL', 'OPENBLAS'):
        os.environ[f'{library}_NUM_THREADS'] = '1'
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([worker, 'geminifusion3d.registered'])
    cores = sorted(os.sched_getaffinity(0))

    def launch(run: Run, place: int) -> Any:
        work = importlib.import_module(worker).work
        # One alone may move to where there is room.
        core = cores[place] if 1 < jobs <= len(cores) else None
        process = context.Process(target=work, args=(run, core))
        process.start()
        return process
    return launch


def make_all(runs: Sequence[Run], jobs: int, worker: str,
             describe: Callable[[Mapping[str, Any]], str] = with_all_sensors) -> None:
    """Makes what is not done yet.

    Args:
        runs: all runs, in the order in which they shall be made.
        jobs: how many side by side.
        worker: the module whose `work` makes one.
        describe: a few words about a result.

    Raises:
        UserError: if a run fails; the others are made all the same.
    """
    failed = Queue(runs=runs, jobs=jobs, launch=launcher(jobs, worker), describe=describe).work()
    if failed:
        logs = '\n'.join(f'  {run.folder / LOG_FILE}' for run in failed)
        raise UserError(f'{len(failed)} of {len(runs)} runs failed, the rest is done; the end of these '
                        f'logs says why, and the same command tries again:\n{logs}')
