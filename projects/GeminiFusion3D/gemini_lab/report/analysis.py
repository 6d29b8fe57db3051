"""What the report knows beyond the official figures: matches, intervals, breakdown, verdicts.

Of two models on the same split: paired differences and the objects that one alone found.

Bootstrap over scenes of the official figures says how much they hang on which scenes were driven. Scenes are
drawn with replacement, all samples of a scene together, and the official matches of the drawn samples are
scored again. Two models that are resampled with the same seed see the same scenes, so that the spread of
their difference is that of a paired comparison.
"""
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Container, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.errors import UserError

from ..analysis.breakdown import (Interval, breakdown, interval, match_all, part_of, scene_weights,
                                  score_resamples, whole)
from ..analysis.compare_predictions import compare
from ..analysis.evaluated_boxes import EvaluatedBoxes, load_evaluated_boxes
from ..analysis.official_matching import Matches
from .metric_files import TP_ERRORS, Metrics
from .verdicts import Verdicts, judge


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


def analyse(results_path: Path, nusc: NuScenes, split: str, metrics: Metrics, *, resamples: int) -> Analysis:
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
    return {token: sorted(boxes, key=lambda box: -box.detection_score) for token, boxes in found.items()}


@dataclass(frozen=True)
class TwoModels:
    """This model and another.

    Attributes:
        names: how the page calls them.
        metrics: their official figures.
        analyses: their results, taken apart.
        objects: what each found, see `analysis.compare_predictions.compare`.
    """

    names: Tuple[str, str]
    metrics: Tuple[Metrics, Metrics]
    analyses: Tuple[Analysis, Analysis]
    objects: Mapping[str, Any]


def two_models(folders: Tuple[Path, Path], metrics: Tuple[Metrics, Metrics],
               analyses: Tuple[Analysis, Analysis]) -> TwoModels:
    """Compares object by object."""
    names = tuple(folder.name for folder in folders)
    if names[0] == names[1] or not all(names):
        names = tuple(map(str, folders))
    return TwoModels(names=names, metrics=metrics, analyses=analyses,
                     objects=compare(analyses[0].evaluated, analyses[1].evaluated))


def difference_intervals(models: TwoModels) -> Dict[str, Interval]:
    """Returns intervals of this minus the other: `nds`, `mean_ap`, errors, and AP by `class:<name>`.

    Both are scored on the same resampled scenes. Empty without resamples.
    """
    this, other = (analysis.resampled for analysis in models.analyses)
    if this is None or other is None:
        return {}
    values, others = _by_name(this), _by_name(other)
    return {name: interval(values[name] - others[name]) for name in values}


def _by_name(resampled: Resampled) -> Dict[str, Any]:
    return {'nds': resampled.nds, 'mean_ap': resampled.mean_ap,
            **{error: resampled.mean_errors[error] for error in TP_ERRORS},
            **{f'class:{name}': values for name, values in resampled.class_ap.items()}}


def bin_pairs(models: TwoModels) -> List[Tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Returns (question, bin of this, the same bin of the other), without the whole.

    A bin that only one of the files knows is left out.
    """
    other = {(question['name'], entry['name']): entry
             for question in models.analyses[1].breakdown['questions'] for entry in question['bins']}
    return [(question['name'], entry, other[question['name'], entry['name']])
            for question in models.analyses[0].breakdown['questions'] if question['name'] != 'all'
            for entry in question['bins'] if (question['name'], entry['name']) in other]


def alone_found(models: TwoModels, outcome: str) -> Sequence[Mapping[str, Any]]:
    """Returns the objects of one outcome, `only_a` or `only_b`, surest first."""
    return [row for row in models.objects['objects'] if row['found_by'] == outcome]
