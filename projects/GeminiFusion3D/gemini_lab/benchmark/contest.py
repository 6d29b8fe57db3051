"""Times several ways to do one thing, taking turns, so that a machine that slows down slows all of them.

The memory of an entrant is the most that a call holds at once beyond what stood before it. On CUDA the
caching allocator counts. On a CPU torch's profiler records every allocation and release of torch's allocator,
those inside an operator included, with which the peak is summed up exactly; memory that libraries take for
themselves (packed matrices, numpy, Python) passes it by.
"""
import gc
import os
import statistics
import sys
import time
from argparse import Namespace
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import torch
from torch.profiler import ProfilerActivity, profile

from .rows import Row
from .stage_clock import synchronise

MEMORY_EVENT = '[memory]'


def peak_extra_bytes(call: Callable[[], Any], device: torch.device) -> int:
    """Runs a call once and returns the most bytes that were allocated at once, its result included.

    Args:
        call: what to run; run it before, so that caches and workspaces stand.
        device: whose memory is counted.
    """
    gc.collect()
    if device.type == 'cuda':
        return _on_cuda(call, device)
    # Below this level the profiler tells the terminal about each of its starts and ends.
    os.environ.setdefault('KINETO_LOG_LEVEL', '6')
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        result = call()
        del result
    return peak_of(_allocations(recorded))


def peak_of(changes: Iterable[int]) -> int:
    """Returns the highest running sum of allocations (positive) and releases (negative), at least 0."""
    now = peak = 0
    for change in changes:
        now += change
        peak = max(peak, now)
    return peak


def _on_cuda(call: Callable[[], Any], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result: Optional[Any] = call()
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device) - before
    del result
    return peak


def _allocations(recorded: profile) -> List[int]:
    """Returns the bytes of each allocation and release in their order in time."""
    events: List[Tuple[int, int]] = [
        (event.start_ns(), event.nbytes()) for event in recorded.profiler.kineto_results.events()
        if event.name() == MEMORY_EVENT]
    # Stable: events of one nanosecond keep the order in which they were recorded.
    return [size for _, size in sorted(events, key=lambda event: event[0])]


# Shorter calls are repeated within one timing: the clock and the launch of a call have noise of their own.
SHORTEST_TIMING_S = 0.02


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One contestant.

    Attributes:
        name: of the contestant.
        call: does the work once; what it returns is dropped.
        shape: of its input, in words.
        dtype: of its numbers.
        macs: multiply-adds of one call, None if not counted.
        mode: what a call does.
        includes: what a call includes, in words.
        excludes: what it leaves out, in words.
        prepare: called before every timing, outside the clock, in place of a call; a timing then is one
            call.
        measure_memory: False where the memory is not torch's.
        facts: further numbers for the row.
    """

    name: str
    call: Callable[[], Any]
    shape: str
    dtype: str = 'float32'
    macs: Optional[int] = None
    mode: str = 'inference'
    includes: str = ''
    excludes: str = ''
    prepare: Optional[Callable[[], Any]] = None
    measure_memory: bool = True
    facts: Optional[Mapping[str, Any]] = None


def run_contest(entrants: Sequence[Entrant], arguments: Namespace) -> List[Row]:
    """Warms up, measures memory, then times the entrants in turns, whose order changes from turn to turn.

    Returns one row per entrant, in the given order.
    """
    device = arguments.device
    peaks: List[Optional[int]] = []
    calls: List[int] = []
    for entrant in entrants:
        _say(f'{entrant.name}, {entrant.mode}, {entrant.shape}', arguments)
        for _ in range(max(1, arguments.warm_up)):
            _run_untimed(entrant)
        calls.append(_calls_a_timing(entrant, device))
        peaks.append(_peak(entrant, device))
    times: Dict[int, List[float]] = {index: [] for index in range(len(entrants))}
    for turn in range(arguments.repeats):
        _say(f'turn {turn + 1} of {arguments.repeats}', arguments)
        # Nobody always runs in the wake of the same other one.
        order = [(index + turn) % len(entrants) for index in range(len(entrants))]
        for index in order if turn % 2 == 0 else reversed(order):
            times[index].append(_time(entrants[index], device, calls[index]))
    _say('', arguments)
    return [_row(entrant, device, times[index], peaks[index]) for index, entrant in enumerate(entrants)]


def quartile_spread(values: Sequence[float]) -> float:
    """Returns the distance between the lower and the upper quartile, 0 for a single value."""
    if len(values) < 2:
        return 0.0
    lower, _, upper = statistics.quantiles(values, n=4, method='inclusive')
    return upper - lower


def _run_untimed(entrant: Entrant) -> None:
    if entrant.prepare is not None:
        entrant.prepare()
    entrant.call()


def _time(entrant: Entrant, device: torch.device, calls: int) -> float:
    """Returns the seconds of one call, the mean over so many in a row, in the wake of a call of its own.

    Else it would pay for what another one has left: the C library gives memory back to the system not when
    it is freed but when somebody frees something later.
    """
    (entrant.prepare or entrant.call)()
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        synchronise(device)
        begin_s = time.perf_counter()
        for _ in range(calls):
            entrant.call()
        synchronise(device)
        return (time.perf_counter() - begin_s) / calls
    finally:
        if was_collecting:
            gc.enable()


def _calls_a_timing(entrant: Entrant, device: torch.device) -> int:
    if entrant.prepare is not None:
        return 1
    return max(1, round(SHORTEST_TIMING_S / max(_time(entrant, device, 1), 1e-7)))


def _peak(entrant: Entrant, device: torch.device) -> Optional[int]:
    if not entrant.measure_memory:
        return None
    if entrant.prepare is not None:
        entrant.prepare()
    return peak_extra_bytes(entrant.call, device)


def _row(entrant: Entrant, device: torch.device, times: Sequence[float], peak: Optional[int]) -> Row:
    return Row(name=entrant.name, device=str(device), dtype=entrant.dtype, shape=entrant.shape,
               median_s=statistics.median(times), spread=quartile_spread(times), peak_bytes=peak,
               macs=entrant.macs, mode=entrant.mode, repeats=len(times), includes=entrant.includes,
               excludes=entrant.excludes, facts=entrant.facts)


def _say(what: str, arguments: Namespace) -> None:
    """Shows on a terminal what is being done, on one line."""
    if not arguments.quiet and sys.stderr.isatty():
        print(f'\r\033[K{what}', end='', file=sys.stderr, flush=True)
