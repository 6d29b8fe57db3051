"""Paired differences between models: intervals, Holm's correction, and how many seeds a difference needs.

Two models are compared seed by seed: what a seed decides is the same for both. Sources: Student's t; Holm, A
simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979.
"""
import math
from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence

import numpy as np
from scipy import stats

CONFIDENCE, POWER = 0.95, 0.8
MOST_SEEDS = 1000


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences.

    Attributes:
        mean: over the pairs.
        spread: standard deviation of one difference; NaN for one pair.
        low: end of the 95 % t-interval of the mean; NaN for one pair.
        high: its other end.
        p: of a difference of 0, two-sided; NaN for one pair.
        pairs: how many.
    """

    mean: float
    spread: float
    low: float
    high: float
    p: float
    pairs: int

    def __format__(self, spec: str) -> str:
        """Writes `mean [low, high]` with signs, or the mean alone where there is no interval."""
        mean, low, high = (format(value, '+' + spec) for value in (self.mean, self.low, self.high))
        return mean if math.isnan(self.low) else f'{mean} [{low}, {high}]'


def paired(values: Mapping[int, float], reference: Mapping[int, float]) -> Difference:
    """Returns the difference over the seeds that both have.

    Args:
        values: by seed.
        reference: by seed; is subtracted.

    Raises:
        ValueError: if they share no seed.
    """
    seeds = sorted(values.keys() & reference.keys())
    if not seeds:
        raise ValueError(f'got the seeds {sorted(values)} and {sorted(reference)}; expected a common one')
    return of_differences([values[seed] - reference[seed] for seed in seeds])


def of_differences(differences: Sequence[float]) -> Difference:
    """Returns the mean of differences with its t-interval.

    Args:
        differences: one for each pair, at least one.
    """
    number, mean = len(differences), float(np.mean(differences))
    if number == 1:
        return Difference(mean, math.nan, math.nan, math.nan, math.nan, 1)
    spread = float(np.std(differences, ddof=1))
    error = spread / math.sqrt(number)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, number - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, number - 1)) if error else float(mean == 0)
    return Difference(mean, spread, mean - reach, mean + reach, p, number)


def holm(p_values: Mapping[str, float]) -> Dict[str, float]:
    """Returns p-values that account for how many there are; one that is NaN stays so and does not count.

    Args:
        p_values: of each comparison.
    """
    known = sorted((p, name) for name, p in p_values.items() if not math.isnan(p))
    corrected, largest = dict.fromkeys(p_values, math.nan), 0.0
    for place, (p, name) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - place)))
        corrected[name] = largest
    return corrected


def power(difference: float, spread: float, pairs: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Returns how often a two-sided paired t-test sees a difference.

    Args:
        difference: the true mean.
        spread: the true standard deviation of one difference.
        pairs: how many, at least 2.
        alpha: how often the test sees a difference that is not there.
    """
    shift, freedom = difference / spread * math.sqrt(pairs), pairs - 1
    limit = stats.t.ppf(1 - alpha / 2, freedom)
    return float(stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift))


def pairs_needed(difference: float, spread: float, alpha: float = 1 - CONFIDENCE) -> int:
    """Returns how many pairs see a difference with the wanted power; MOST_SEEDS where so many do not.

    Args:
        difference: the true mean.
        spread: the true standard deviation of one difference.
        alpha: as for `power`.
    """
    return next((pairs for pairs in range(2, MOST_SEEDS) if power(difference, spread, pairs, alpha) >= POWER),
                MOST_SEEDS)


def detectable(pairs: int, spread: float, alpha: float = 1 - CONFIDENCE) -> float:
    """Returns the smallest difference that so many pairs see with the wanted power.

    Args:
        pairs: how many, at least 2.
        spread: the true standard deviation of one difference.
        alpha: as for `power`.
    """
    low, high = 0.0, 1.0
    while power(high, 1.0, pairs, alpha) < POWER:
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, 1.0, pairs, alpha) < POWER else (low, middle)
    return high * spread


def pooled_spread(differences: Sequence[Sequence[float]]) -> float:
    """Returns one standard deviation from several groups of differences, each around its own mean.

    Args:
        differences: groups; those of one value say nothing.
    """
    squares: List[float] = [float(np.sum((np.array(group) - np.mean(group)) ** 2)) for group in differences]
    freedom = sum(len(group) - 1 for group in differences)
    return math.sqrt(sum(squares) / freedom)
