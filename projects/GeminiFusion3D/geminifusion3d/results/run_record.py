"""What a test run leaves beside its results file: dataset, weights, what they had learned, speed, hardware.

Commands that are given the results read it, so that nobody has to say it again; its digest of the results
tells whether they are still those of the run.
"""
import json
import os
import platform
from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..atomic import unsealed, write_json
from ..errors import UserError
from ..learned_samples import LEARNED, Overlap
from ..submission.provenance import RUN_RECORD_NAME as RECORD_NAME
from ..submission.provenance import check_recorded, file_facts, now
from .nuscenes_metric import DETAILS_NAME, RESULTS_NAME, SUMMARY_NAME, GeminiNuScenesMetric

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


class RunRecordHook(InferenceClock):
    """Times a test run and writes the record at its end, beside the results file in the work directory.

    Args:
        checkpoint: path of the weights; an address has no hash and is left out.
        tta: terms of test-time augmentation.
    """

    def __init__(self, *, checkpoint: str, tta: Sequence[str] = ()) -> None:
        super().__init__()
        self._checkpoint = Path(checkpoint).expanduser()
        self._tta = list(tta)

    def before_test(self, runner: Runner) -> None:
        """Removes the record of an earlier run, whose results this one replaces."""
        super().before_test(runner)
        if is_main_process():
            (Path(runner.work_dir) / RECORD_NAME).unlink(missing_ok=True)

    def after_test(self, runner: Runner) -> None:
        """Writes the record, on one process, if the run left a results file."""
        results = Path(runner.work_dir) / RESULTS_NAME
        scores = [results.with_name(name) for name in (SUMMARY_NAME, DETAILS_NAME)]
        if is_main_process() and results.is_file():
            write_json(results.with_name(RECORD_NAME), {
                'results': file_facts(results),
                'scores': [file_facts(path) for path in scores if path.is_file()],
                'date': now(), 'config': runner.cfg.filename,
                'dataset': next((metric.dataset() for metric in runner.test_evaluator.metrics
                                 if isinstance(metric, GeminiNuScenesMetric)), None),
                **made_with(self._checkpoint if self._checkpoint.is_file() else None, self._tta, {
                    **self.speed(), 'processes': get_world_size(), 'hardware': hardware()},
                    getattr(runner, 'overlap', None))},
                indent=2, sealed=True)


def made_with(checkpoint: Optional[Path], tta: Sequence[str], inference: Optional[Dict[str, Any]],
              overlap: Optional[Overlap] = None) -> Dict[str, Any]:
    """Returns what provenance.json says about the making of predictions.

    Args:
        checkpoint: the weights, None if they are not known.
        tta: terms of test-time augmentation, none without.
        inference: speed and hardware, None if they were not measured.
        overlap: how many of the samples the weights had learned, None if nobody compared.

    Returns:
        `checkpoint`, `test_time_augmentation`, `inference` and `learned_samples`.
    """
    return {'checkpoint': file_facts(checkpoint) if checkpoint else None,
            'test_time_augmentation': list(tta), 'inference': inference,
            LEARNED: overlap.to_plain() if overlap else None}


def read_record(predictions: Path) -> Optional[Dict[str, Any]]:
    """Returns what a test run has left beside a results file, as `made_with` does.

    Args:
        predictions: the results file.

    Returns:
        None if there is no record.

    Raises:
        UserError: if the record is broken, or the results are not those that the run wrote.
    """
    path = predictions.with_name(RECORD_NAME)
    if not path.is_file():
        return None
    fields = tuple(made_with(None, (), None))
    try:
        content = unsealed(json.loads(path.read_bytes()))
        # Earlier versions did not compare samples.
        made = {field: content[field] for field in fields if field != LEARNED}
        made[LEARNED] = content.get(LEARNED)
        content['results']['sha256']
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{path} is not what gemini3d test writes beside its results ({error!r}); expected '
                        f'results, {", ".join(fields)}; remove it, or test again') from None
    check_recorded(predictions)
    return made
