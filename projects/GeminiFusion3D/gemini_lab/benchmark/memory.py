"""The most memory that a call holds at once beyond what stood before it.

On CUDA the caching allocator counts. On a CPU torch's profiler records every allocation and release of
torch's allocator, those inside an operator included, with which the peak is summed up exactly; memory that
libraries take for themselves (packed matrices, numpy, Python) passes it by.
"""
import gc
import os
from typing import Any, Callable, Iterable, List, Optional, Tuple

import torch
from torch.profiler import ProfilerActivity, profile

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
