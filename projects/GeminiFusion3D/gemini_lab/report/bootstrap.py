"""Bootstrap over scenes of the official figures: how much they hang on which scenes were driven.

Scenes are drawn with replacement, all samples of a scene together, and the official matches of the
drawn samples are scored again. Two models that are resampled with the same seed see the same scenes,
so that the spread of their difference is that of a paired comparison.
"""
import math
from dataclasses import dataclass
from typing import Container, Dict, Mapping, Sequence

import numpy as np

from ..analysis.breakdown import part_of, scene_weights, score_resamples, whole
from ..analysis.evaluated_boxes import EvaluatedBoxes
from ..analysis.official_matching import Matches
from .metric_files import TP_ERRORS, Metrics


@dataclass(frozen=True)
class Resampled:
    """The figures of each resample, (R,) each; NaN where a resample has no such figure."""

    mean_ap: np.ndarray
    nds: np.ndarray
    mean_errors: Mapping[str, np.ndarray]
    class_ap: Mapping[str, np.ndarray]


def resample(evaluated: EvaluatedBoxes, matched: Mapping[str, Mapping[float, Matches]],
             metrics: Metrics, *, resamples: int, seed: int = 0) -> Resampled:
    """Scores the resamples.

    A class without objects in the whole split keeps its official figures (AP 0), as in the official
    means; a class without objects in a resample is left out of the means of that resample.

    Args:
        evaluated: the boxes that count.
        matched: by class and match distance, see `analysis.breakdown.match_all`.
        metrics: the official figures.
        resamples: how many.
        seed: of the drawing.
    """
    parts = [part_of(whole(), 0, boxes, matched[boxes.name]) for boxes in evaluated.classes]
    absent = {boxes.name for boxes in evaluated.classes if not boxes.annotations}
    drawn = [_class_figures(scores['classes'], absent, metrics) for scores in score_resamples(
        parts, evaluated, scene_weights(evaluated, resamples, seed))]
    class_ap = {boxes.name: np.array([figures[boxes.name]['ap'] for figures in drawn])
                for boxes in evaluated.classes}
    mean_ap = _means(drawn, 'ap')
    mean_errors = {error: _means(drawn, error) for error in TP_ERRORS}
    kept = sum(np.maximum(0.0, 1.0 - values) for values in mean_errors.values())
    weight = evaluated.config.mean_ap_weight
    return Resampled(mean_ap=mean_ap, nds=(weight * mean_ap + kept) / (weight + len(TP_ERRORS)),
                     mean_errors=mean_errors, class_ap=class_ap)


def _class_figures(rows: Mapping[str, Mapping], absent: Container[str], metrics: Metrics
                   ) -> Dict[str, Dict[str, float]]:
    """Returns AP and errors of every class in one resample, NaN where they do not exist."""
    figures = {}
    for name, ap in metrics.class_ap.items():
        if name in rows:
            errors = {error: math.nan if value is None else value
                      for error, value in rows[name]['errors'].items()}
            figures[name] = {'ap': rows[name]['ap'], **errors}
        elif name in absent:
            figures[name] = {'ap': ap, **metrics.class_errors[name]}
        else:
            figures[name] = {'ap': math.nan, **dict.fromkeys(TP_ERRORS, math.nan)}
    return figures


def _means(drawn: Sequence[Mapping[str, Mapping[str, float]]], figure: str) -> np.ndarray:
    """Returns the mean over classes in each resample, of the classes that have the figure."""
    means = []
    for figures in drawn:
        known = [row[figure] for row in figures.values() if math.isfinite(row[figure])]
        means.append(sum(known) / len(known) if known else math.nan)
    return np.array(means)
