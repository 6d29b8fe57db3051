"""Two models on the same split: paired differences and the objects that one alone found."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ..analysis.breakdown import Interval, interval
from ..analysis.compare_predictions import compare
from .analysis import Analysis
from .bootstrap import Resampled
from .metric_files import TP_ERRORS, Metrics


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
