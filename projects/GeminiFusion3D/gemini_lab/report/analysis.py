"""What the report knows beyond the official figures: matches, intervals, breakdown, verdicts."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.errors import UserError

from ..analysis.breakdown import breakdown, match_all
from ..analysis.evaluated_boxes import EvaluatedBoxes, load_evaluated_boxes
from ..analysis.official_matching import Matches
from .bootstrap import Resampled, resample
from .metric_files import Metrics
from .verdicts import Verdicts, judge

# Metrics and boxes are of one evaluation if their AP agrees this well.
AP_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Analysis:
    """One model's results, taken apart.

    Attributes:
        evaluated: the boxes that count.
        matches: by class, within the distance of the true-positive errors (2 m).
        breakdown: see `analysis.breakdown.breakdown`.
        resampled: the official figures of bootstrap resamples; None without.
        verdicts: on each box.
    """

    evaluated: EvaluatedBoxes
    matches: Mapping[str, Matches]
    breakdown: Mapping[str, Any]
    resampled: Optional[Resampled]
    verdicts: Verdicts


def why_no_analysis(nusc: NuScenes, tokens: Sequence[str], results: Mapping[str, int]) -> str:
    """Says why predictions cannot be matched officially; empty if they can."""
    if not nusc.sample_annotation:
        return 'the split has no annotations'
    if set(tokens) != set(results):
        return (f'the predictions are of {len(set(tokens) & set(results))} of the split\'s '
                f'{len(tokens)} samples')
    return '' if any(results.values()) else 'nothing was predicted'


def analyse(results_path: Path, nusc: NuScenes, split: str, metrics: Metrics, *, resamples: int
            ) -> Analysis:
    """Matches as the devkit does and takes the score apart.

    Args:
        results_path: predictions of every sample of the split.
        nusc: the dataset.
        split: official or custom.
        metrics: the official figures of these predictions.
        resamples: how many bootstrap resamples of the scenes; 0 for no intervals.

    Raises:
        UserError: if a box is invalid, or the files are of different evaluations.
    """
    try:
        evaluated = load_evaluated_boxes(result_path=results_path, tables=nusc, split=split)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f'the devkit refuses {results_path} ({type(error).__name__}: {error}); run '
                        f'gemini3d validate on it') from error
    matched = match_all(evaluated)
    parts = breakdown(evaluated, resamples=resamples, matched=matched)
    check_agreement(parts, metrics, str(results_path))
    nearest_m = evaluated.config.dist_th_tp
    matches = {name: by_distance[nearest_m] for name, by_distance in matched.items()}
    return Analysis(
        evaluated=evaluated, matches=matches, breakdown=parts, verdicts=judge(evaluated, matches),
        resampled=resample(evaluated, matched, metrics, resamples=resamples) if resamples else None)


def check_agreement(parts: Mapping[str, Any], metrics: Metrics, path: str) -> None:
    """Refuses a breakdown of another evaluation than that of the metrics, and names a class that differs."""
    rows = parts['questions'][0]['bins'][0]['classes']
    differing = [name for name, row in rows.items() if abs(row['ap'] - metrics.class_ap[name]) > AP_TOLERANCE]
    if differing:
        name = differing[0]
        raise UserError(
            f'{path} gives AP {rows[name]["ap"]:.4f} for {name}, the metrics say '
            f'{metrics.class_ap[name]:.4f}: they are of different evaluations; evaluate again')


def predictions_by_sample(evaluated: EvaluatedBoxes, tokens: Sequence[str]) -> Dict[str, List[DetectionBox]]:
    """Returns the predictions that count of some samples, by sample, best first."""
    found: Dict[str, List[DetectionBox]] = {token: [] for token in tokens}
    is_wanted = np.isin(evaluated.tokens, list(tokens))
    for boxes in evaluated.classes:
        for index in np.flatnonzero(is_wanted[boxes.prediction_sample]):
            found[evaluated.tokens[boxes.prediction_sample[index]]].append(boxes.predictions[index])
    return {token: sorted(boxes, key=lambda box: -box.detection_score)
            for token, boxes in found.items()}
