"""Resistance ability: how much of its clean score a model keeps, as MultiCorrupt defines it.

    RA_{c,s} = M_{c,s} / M_clean        RA_c = mean of RA_{c,s} over s        mRA = mean of RA_c over c

(Beemelmanns et al., IV 2024, arXiv 2402.11677, "Metrics"), with M the mAP or the NDS.
"""
from dataclasses import dataclass
from statistics import fmean
from typing import Dict, Mapping, Optional, Sequence

from .conditions import CLEAN


@dataclass(frozen=True)
class Resistance:
    """How well one metric survives.

    Attributes:
        clean: the metric without corruption.
        by_corruption: RA_c of each; None where the clean metric is 0, of which nothing can be kept.
        mean: mRA over these corruptions, or None.
    """

    clean: float
    by_corruption: Dict[str, Optional[float]]
    mean: Optional[float]


def condition_name(corruption: str, severity: int) -> str:
    """Returns under which name the scores of a corrupted evaluation are kept."""
    return f'{corruption}-{severity}'


def resistance(scores: Mapping[str, Mapping[str, float]], metric: str, corruptions: Sequence[str],
               severities: Sequence[int]) -> Resistance:
    """Computes the resistance abilities of one metric.

    Args:
        scores: by condition, the clean one among them, then by metric.
        metric: 'mAP' or 'NDS'.
        corruptions: over which mRA is the mean.
        severities: over which each RA_c is the mean.
    """
    clean = scores[CLEAN][metric]
    if clean <= 0:
        return Resistance(clean, dict.fromkeys(corruptions), None)
    kept = {name: fmean(scores[condition_name(name, severity)][metric] / clean for severity in severities)
            for name in corruptions}
    return Resistance(clean, kept, fmean(kept.values()))
