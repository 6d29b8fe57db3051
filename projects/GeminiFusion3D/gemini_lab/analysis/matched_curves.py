"""From matched predictions to the devkit's precision and error curves, optionally weighted.

Source: nuscenes-devkit 1.2.0 eval/detection/algo.py `accumulate`, second half. The delta: a weight per
prediction, with which a bootstrap counts a scene several times; all weights 1 give its numbers.
"""
from typing import Dict, Optional

import numpy as np
from jaxtyping import Bool, Float
from nuscenes.eval.detection.constants import TP_METRICS
from nuscenes.eval.detection.data_classes import DetectionMetricData


def metric_data(*, scores: Float[np.ndarray, ' n'], is_match: Bool[np.ndarray, ' n'],
                errors: Dict[str, Float[np.ndarray, ' n']], n_annotations: float,
                weights: Optional[Float[np.ndarray, ' n']] = None) -> DetectionMetricData:
    """Returns precision, confidence and errors over 101 recalls.

    Args:
        scores: of the predictions, falling.
        is_match: whether each prediction has an annotation.
        errors: numbers per prediction by name, read only where it has an annotation; curves of the errors
            that are not given are NaN.
        n_annotations: how many there are to find, weighted like the predictions.
        weights: how often each prediction counts; once where None.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    counts = weights > 0
    scores, is_match, weights = scores[counts], is_match[counts], weights[counts]
    if n_annotations == 0 or not is_match.any():
        return DetectionMetricData.no_predictions()
    true_positives = np.cumsum(weights * is_match)
    precision = true_positives / np.cumsum(weights)
    recall = true_positives / float(n_annotations)
    recalls = np.linspace(0, 1, DetectionMetricData.nelem)
    confidence = np.interp(recalls, recall, scores, right=0)
    curves = {name: np.full(DetectionMetricData.nelem, np.nan) for name in TP_METRICS}
    curves.update({name: _error_curve(values[counts][is_match], weights[is_match], scores[is_match],
                                      confidence) for name, values in errors.items()})
    return DetectionMetricData(recall=recalls, precision=np.interp(recalls, recall, precision, right=0),
                               confidence=confidence, **curves)


def _error_curve(errors: np.ndarray, weights: np.ndarray, scores: np.ndarray,
                 confidence: np.ndarray) -> np.ndarray:
    """Returns the cumulative mean error at each confidence; both run from high to low."""
    is_known = ~np.isnan(errors)
    if not is_known.any():
        mean = np.ones(len(errors))
    else:
        known = np.cumsum(weights * is_known)
        total = np.cumsum(weights * np.where(is_known, errors, 0.0))
        mean = np.divide(total, known, out=np.zeros_like(total), where=known > 0)
    return np.interp(confidence[::-1], scores[::-1], mean[::-1])[::-1]
