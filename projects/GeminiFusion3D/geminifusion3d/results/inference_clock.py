"""How many samples a second a model handles, measured while it predicts."""
from time import perf_counter
from typing import Any, Dict, List, Sequence, Tuple

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
        """Forgets an earlier run.

        Args:
            runner: not needed.
        """
        self._batches = []

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Starts the clock: the files of the batch have been read.

        Args:
            runner: not needed.
            batch_idx: not needed.
            data_batch: not needed.
        """
        self._began_s = perf_counter()

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                        outputs: Sequence[Any] = ()) -> None:
        """Stops the clock: the boxes are on the CPU, which the metric needs them on.

        Args:
            runner: not needed.
            batch_idx: not needed.
            data_batch: not needed.
            outputs: one prediction a sample.
        """
        self._batches.append((perf_counter() - self._began_s, len(outputs)))

    def speed(self) -> Dict[str, Any]:
        """Returns the rate in Hz, over how many samples it was taken and what it includes."""
        few = len(self._batches) <= 2 * WARM_UP_BATCHES
        timed = self._batches if few else self._batches[WARM_UP_BATCHES:]
        samples, seconds = sum(count for _, count in timed), sum(second for second, _ in timed)
        return {'fps_hz': samples / seconds if seconds > 0 else None, 'samples': samples,
                'includes': INCLUDES}
