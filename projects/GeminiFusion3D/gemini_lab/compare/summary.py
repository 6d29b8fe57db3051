"""Results of all runs -> one row per model: mean and spread over the seeds."""
import math
import statistics
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .variants import Variant

FUSER = 'fuser'


@dataclass(frozen=True)
class Figure:
    """Mean and standard deviation of one number over the seeds.

    Attributes:
        mean: over the seeds.
        spread: with n - 1 in the denominator; NaN for one seed.
    """

    mean: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> 'Figure':
        """Returns the figure of some values, at least one."""
        spread = statistics.stdev(values) if len(values) > 1 else math.nan
        return cls(statistics.fmean(values), spread)

    def __format__(self, spec: str) -> str:
        """Writes `mean ± spread`, or the mean alone where there is no spread."""
        mean = format(self.mean, spec)
        return mean if math.isnan(self.spread) else f'{mean} ± {format(self.spread, spec.strip("+"))}'


@dataclass(frozen=True)
class Row:
    """One model.

    Attributes:
        label: how the table calls it.
        seeds: how many runs are behind it.
        mAP: with all sensors.
        NDS: with all sensors.
        black_delta: mAP with black pictures minus mAP, seed by seed; None for one sensor.
        empty_delta: mAP with empty clouds minus mAP, seed by seed; None for one sensor.
        parameters: of the whole model.
        multiply_adds: of the whole model.
        fuser_multiply_adds: of the fuser; None for one sensor.
        step_s: of a training step.
        processors: what the steps were timed on.
    """

    label: str
    seeds: int
    mAP: Figure
    NDS: Figure
    black_delta: Optional[Figure]
    empty_delta: Optional[Figure]
    parameters: int
    multiply_adds: int
    fuser_multiply_adds: Optional[int]
    step_s: Figure
    processors: Tuple[str, ...]


def summarise(results: Sequence[Mapping[str, Any]], variants: Sequence[Variant]) -> List[Row]:
    """Returns one row for each model that has results, in the order of `variants`.

    Args:
        results: of the runs, as `Run.finish` keeps them.
        variants: the models.
    """
    by_variant = [(variant, [result for result in results if result['variant'] == variant.name])
                  for variant in variants]
    return [_row(variant, sorted(found, key=lambda result: result['seed']))
            for variant, found in by_variant if found]


def _row(variant: Variant, results: Sequence[Mapping[str, Any]]) -> Row:
    costs: List[Dict[str, Any]] = results[0]['costs']
    fuser = [cost['multiply_adds'] for cost in costs if cost['stage'] == FUSER]
    return Row(
        label=variant.label, seeds=len(results),
        mAP=Figure.of([result['scores']['all']['mAP'] for result in results]),
        NDS=Figure.of([result['scores']['all']['NDS'] for result in results]),
        black_delta=_delta(results, 'black'), empty_delta=_delta(results, 'empty'),
        parameters=sum(cost['parameters'] for cost in costs),
        multiply_adds=sum(cost['multiply_adds'] for cost in costs),
        fuser_multiply_adds=fuser[0] if fuser else None,
        step_s=Figure.of([result['step_s'] for result in results]),
        processors=tuple(sorted({result['processor'] for result in results})))


def _delta(results: Sequence[Mapping[str, Any]], silence: str) -> Optional[Figure]:
    """Returns how mAP changes when a sensor is silent."""
    scores = [result['scores'] for result in results if silence in result['scores']]
    if not scores:
        return None
    return Figure.of([score[silence]['mAP'] - score['all']['mAP'] for score in scores])
