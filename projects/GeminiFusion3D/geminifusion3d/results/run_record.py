"""What a test run leaves beside its results file: dataset, weights, what they had learned, speed, hardware.

Commands that are given the results read it, so that nobody has to say it again; its digest of the results
tells whether they are still those of the run.
"""
import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from mmengine.dist import get_world_size, is_main_process
from mmengine.runner import Runner

from ..atomic import unsealed, write_json
from ..errors import UserError
from ..learned_samples import LEARNED, Overlap
from ..submission.provenance import RUN_RECORD_NAME as RECORD_NAME
from ..submission.provenance import check_recorded, file_facts, now
from .inference_clock import InferenceClock, hardware
from .nuscenes_metric import DETAILS_NAME, RESULTS_NAME, SUMMARY_NAME, GeminiNuScenesMetric


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
