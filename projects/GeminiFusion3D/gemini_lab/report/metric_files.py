"""Reads what the devkit's DetectionEval writes: `metrics_summary.json` and `metrics_details.json`.

A figure that does not exist (orientation of a cone, an error of a class without matches in some
writers) is NaN in the devkit's files and null in strict JSON: both become NaN here.
"""
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np

from geminifusion3d.atomic import unsealed
from geminifusion3d.errors import UserError
from geminifusion3d.submission.provenance import check_recorded

SUMMARY_NAMES = ('metrics_summary.json', 'metrics.json')
DETAILS_NAME = 'metrics_details.json'
# Beside the metrics, or where the submission was exported to.
RESULTS_NAMES = ('results_nusc.json', 'submission/results_nusc.json')
TP_ERRORS = ('trans_err', 'scale_err', 'orient_err', 'vel_err', 'attr_err')


@dataclass(frozen=True)
class Curve:
    """Curves over the recall of one class at one match distance, up to the recall that was reached.

    recall, precision, confidence, and each error by its name: (K,), K = 0 where nothing was matched.
    An error is the mean over the matches down to that recall.
    """

    recall: np.ndarray
    precision: np.ndarray
    confidence: np.ndarray
    errors: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """The official figures, by class name, then by match distance in metres or error name."""

    mean_ap: float
    nds: float
    mean_errors: Mapping[str, float]
    class_ap: Mapping[str, float]
    class_ap_at_m: Mapping[str, Mapping[float, float]]
    class_errors: Mapping[str, Mapping[str, float]]
    modality: Mapping[str, bool]
    curves: Mapping[str, Mapping[float, Curve]]


def read_metrics(metrics_dir: Path) -> Metrics:
    """Reads both files of a folder, the devkit's; the curves are empty where the details file is absent."""
    path = find_file(metrics_dir, SUMMARY_NAMES)
    summary = read_json(path)
    try:
        return Metrics(
            mean_ap=number(summary['mean_ap']),
            nds=number(summary['nd_score']),
            mean_errors={name: number(summary['tp_errors'][name]) for name in TP_ERRORS},
            class_ap={name: number(ap) for name, ap in summary['mean_dist_aps'].items()},
            class_ap_at_m={name: {float(m): number(ap) for m, ap in by_distance.items()}
                           for name, by_distance in summary['label_aps'].items()},
            class_errors={name: {error: number(value) for error, value in errors.items()}
                          for name, errors in summary['label_tp_errors'].items()},
            modality=summary.get('meta') or {},
            curves=read_curves(metrics_dir / DETAILS_NAME))
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path} is not a metrics file of the nuScenes devkit (no or wrong field {error}); '
            f'expected what gemini3d test writes: evaluate again') from error


def find_file(folder: Path, names: Tuple[str, ...]) -> Path:
    """Returns the first of `names` that exists in `folder`; UserError if none does."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise UserError(f'{folder} holds none of {", ".join(names)}; '
                    f'give the folder in which gemini3d test left its metrics')


def read_json(path: Path) -> Any:
    """Reads JSON; UserError if it is absent, broken, or not the one that a record beside it is about."""
    check_recorded(path)
    try:
        return unsealed(json.loads(path.read_text()))
    except OSError as error:
        raise UserError(f'cannot read {path}: {error.strerror}') from error
    except ValueError as error:
        raise UserError(f'{path} is not valid JSON ({error}); write it again') from error


def read_curves(path: Path) -> Dict[str, Dict[float, Curve]]:
    """Reads `metrics_details.json` ({'car:0.5': {recall, precision, confidence, ...}, ...})."""
    curves: Dict[str, Dict[float, Curve]] = {}
    if not path.is_file():
        return curves
    for key, data in read_json(path).items():
        name, _, distance_m = key.rpartition(':')
        curves.setdefault(name, {})[float(distance_m)] = reached_part(data)
    return curves


def reached_part(data: Mapping[str, Any]) -> Curve:
    """Cuts the devkit's 101 recall bins where the confidence becomes 0: recall not reached."""
    confidence = np.array([number(value) for value in data['confidence']])
    reached = confidence > 0
    return Curve(recall=np.array(data['recall'], dtype=np.float64)[reached],
                 precision=np.array([number(v) for v in data['precision']])[reached],
                 confidence=confidence[reached],
                 errors={name: np.array([number(v) for v in data[name]])[reached]
                         for name in TP_ERRORS if name in data})


def number(value: Optional[float]) -> float:
    """Returns `value` as a float; null is NaN."""
    return math.nan if value is None else float(value)


def operating_score(metrics: Metrics, distance_m: float = 2.0) -> float:
    """Returns the score from which to draw: the median over classes of that with the best F1, to 0.01.

    It is 0.3 if no class has a curve.
    """
    best = []
    for by_distance in metrics.curves.values():
        curve = by_distance.get(distance_m)
        if curve is None or not len(curve.recall):
            continue
        total = np.maximum(curve.recall + curve.precision, 1e-9)
        best.append(curve.confidence[np.argmax(2 * curve.recall * curve.precision / total)])
    return round(float(np.median(best)), 2) if best else 0.3
