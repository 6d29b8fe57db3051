"""Work spread over processes, in order, with a progress bar that shows the time left."""
import gc
import multiprocessing
import os
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Callable, Iterator, Sequence

from tqdm import tqdm

_shared: Any = None


def map_with_progress(function: Callable[[Any, Any], Any], tasks: Sequence[Any], *, shared: Any,
                      workers: int, description: str) -> Iterator[Any]:
    """Yields `function(shared, task)` for every task, in the order of the tasks.

    Args:
        function: a module-level function; its result must be picklable.
        tasks: small picklable things.
        shared: handed to the workers by fork, so it may be large.
        workers: number of processes; 1 works in this process.
        description: what the tasks are, for the progress bar.
    """
    if workers == 1 or len(tasks) <= 1:
        # Closed before an error is shown: it must not stand behind the bar.
        with tqdm(tasks, desc=description) as bar:
            for task in bar:
                yield function(shared, task)
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), multiprocessing.get_context('fork'),
                             _start_worker, (shared,)) as pool:
        futures = [pool.submit(_run, function, task) for task in tasks]
        try:
            with tqdm(futures, desc=description) as bar:
                for future in bar:
                    yield future.result()
        except BaseException:
            # Without waiting, a process that multiprocessing started may end before it tells its workers to.
            pool.shutdown(cancel_futures=True)
            raise


def _start_worker(shared: Any) -> None:
    global _shared
    _shared = shared
    # What came by fork is not looked through for garbage, which would copy every page of it.
    gc.freeze()
    # One thread each: more would wait for each other, and those of the parent are not there after a fork.
    if 'torch' in sys.modules:
        sys.modules['torch'].set_num_threads(1)
    end_with_command()


def end_with_command() -> None:
    """Ends this process of multiprocessing when the command that asked for it is gone, however that ended."""
    threading.Thread(target=_watch_command, daemon=True).start()


def _watch_command() -> None:
    # A fork server, the parent in the system's eyes, lives as long as its children.
    multiprocessing.parent_process().join()
    os._exit(1)


def _run(function: Callable[[Any, Any], Any], task: Any) -> Any:
    return function(_shared, task)
