"""How many samples per second a model handles, measured while it predicts, and on which machine."""
import os
import platform
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

WARM_UP_BATCHES = 5
INCLUDES = 'transfer to the device, network, decoding, records in the global frame; no reading of files'


class InferenceClock(Hook):
    """Times every batch of a test run; the first few are left out where there are enough others."""

    def __init__(self) -> None:
        self._batches: List[Tuple[float, int]] = []
        self._began_s = 0.0

    def before_test(self, runner: Runner) -> None:
        """Drops the times of an earlier run."""
        self._batches = []

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Starts the clock: the files of the batch have been read."""
        self._began_s = perf_counter()

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                        outputs: Sequence[Any] = ()) -> None:
        """Stops the clock: the boxes are on the CPU, which the metric needs them on."""
        self._batches.append((perf_counter() - self._began_s, len(outputs)))

    def speed(self) -> Dict[str, Any]:
        """Returns the rate in Hz, over how many samples it was taken and what it includes."""
        few = len(self._batches) <= 2 * WARM_UP_BATCHES
        timed = self._batches if few else self._batches[WARM_UP_BATCHES:]
        samples, seconds = sum(count for _, count in timed), sum(second for second, _ in timed)
        return {'fps_hz': samples / seconds if seconds > 0 else None, 'samples': samples,
                'includes': INCLUDES}


def hardware() -> Dict[str, Any]:
    """Returns what the model runs on: the GPU if there is one, and the CPU."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {'gpu': gpu, 'cpu': _cpu_name(), 'cpu_threads': torch.get_num_threads()}


def _cpu_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return f'{os.cpu_count()} x {names[0] if names else platform.machine()}'
