"""A data pipeline whose steps are timed while a dataset runs it, one keyframe a call."""
import statistics
import time
from typing import Any, Callable, Dict, List, Mapping, Sequence

from mmdet3d.registry import DATASETS, TRANSFORMS

REST = 'record, seeds, copies'


class TimedStep:
    """One transform and the seconds of each of its calls.

    Args:
        name: of the transform.
        transform: what to call.
    """

    def __init__(self, *, name: str, transform: Callable[[Dict[str, Any]], Any]) -> None:
        self.name = name
        self.seconds: List[float] = []
        self._transform = transform

    def __call__(self, results: Dict[str, Any]) -> Any:
        """Runs the transform.

        Args:
            results: of the step before.
        """
        begin_s = time.perf_counter()
        results = self._transform(results)
        self.seconds.append(time.perf_counter() - begin_s)
        return results


class TimedLoading:
    """Loads keyframes in turn: `prepare` goes on to the next one, `call` loads it.

    Args:
        dataset: config of the dataset; its pipeline is replaced.
        steps: the transforms, as configs.
        indices: which keyframes.
    """

    def __init__(self, *, dataset: Mapping[str, Any], steps: Sequence[Mapping[str, Any]],
                 indices: Sequence[int]) -> None:
        self.steps = [TimedStep(name=step['type'], transform=TRANSFORMS.build(step)) for step in steps]
        # No keyframe is replaced by another one because its boxes are out of range.
        self._dataset = DATASETS.build(dict(dataset, pipeline=self.steps, filter_empty_gt=False))
        self._indices = list(indices)
        self._calls = 0
        self._totals_s: List[float] = []

    def prepare(self) -> None:
        """Goes on to the next keyframe."""
        self._calls += 1

    def call(self) -> Any:
        """Returns the current keyframe as the pipeline packs it."""
        begin_s = time.perf_counter()
        packed = self._dataset[self._indices[self._calls % len(self._indices)]]
        self._totals_s.append(time.perf_counter() - begin_s)
        return packed

    def median_s_by_step(self, last: int) -> Dict[str, float]:
        """Returns the median seconds of every step, and of what the dataset does before the first.

        Args:
            last: take so many of the latest calls.
        """
        columns = [step.seconds[-last:] for step in self.steps]
        rest = [total_s - sum(parts) for total_s, *parts in zip(self._totals_s[-last:], *columns)]
        medians = {REST: statistics.median(rest)}
        for number, (step, column) in enumerate(zip(self.steps, columns)):
            # A transform may stand in a pipeline twice.
            name = step.name if step.name not in medians else f'{step.name} ({number})'
            medians[name] = statistics.median(column)
        return medians
