"""Reads training curves: `loss_curve.jsonl` of this project and `scalars.json` of mmengine.

The first holds exact losses of every iteration. mmengine's LocalVisBackend appends one JSON object per line
to `<work-dir>/<time stamp>/vis_data/scalars.json`; a resumed run starts another time stamp and repeats some
steps, of which the last one counts. A work directory that holds both gives losses from the first, scores
and times from the second.
"""
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from geminifusion3d.check_sums import json_lines
from geminifusion3d.errors import UserError

CURVE_NAME, SCALARS = 'loss_curve.jsonl', 'vis_data/scalars.json'
STEP_KEYS = ('step', 'iter')
SCORE_KEYS = {'mAP', 'NDS'}

Series = List[Tuple[float, float]]


@dataclass
class TrainingLog:
    """Curves by name, each a list of (step, value) sorted by step.

    Attributes:
        losses: `loss` and its parts over iterations.
        scores: mAP and NDS over what the log counts, epochs or iterations.
        rates: the learning rate over iterations.
        seconds: of all iterations together; None where the log has no times.
    """

    losses: Dict[str, Series] = field(default_factory=dict)
    scores: Dict[str, Series] = field(default_factory=dict)
    rates: Dict[str, Series] = field(default_factory=dict)
    seconds: Optional[float] = None


def find_training_log(folder: Path) -> Optional[TrainingLog]:
    """Returns what a work directory knows about its training; None if nothing was trained there."""
    has_log = (folder / CURVE_NAME).is_file() or any(folder.glob(f'*/{SCALARS}'))
    log = read_training_log(folder) if has_log else None
    return log if log is not None and 'loss' in log.losses else None


def read_training_log(path: Path) -> TrainingLog:
    """Reads one log file, or all that a work directory holds; UserError if there is none."""
    if not path.exists():
        raise UserError(f'the training log {path} does not exist; give {CURVE_NAME}, scalars.json, or the '
                        'work directory of a training')
    curve = path if path.is_file() else path / CURVE_NAME
    scalars = [] if path.is_file() else sorted(path.glob(f'*/{SCALARS}'))
    if not curve.is_file() and not scalars:
        raise UserError(
            f'{path} holds no {CURVE_NAME} and no {SCALARS}; give the work directory of a training')
    series: Dict[str, Dict[float, float]] = {}
    for file in scalars:
        for record in filter(_is_object, json_lines(file)):
            collect(record, series)
    times = series.pop('time', {})
    if curve.is_file():
        series = {name: by_step for name, by_step in series.items() if name in SCORE_KEYS}
        for record in filter(_is_object, json_lines(curve)):
            collect(record, series)
        times = series.pop('time', times)
    log = TrainingLog(seconds=total_seconds(times))
    for name, by_step in series.items():
        group = log.scores if name in SCORE_KEYS else log.rates if name == 'lr' else log.losses
        group[name] = sorted(by_step.items())
    return log


def _is_object(record: Any) -> bool:
    return isinstance(record, dict)


def collect(record: Mapping[str, Any], series: Dict[str, Dict[float, float]]) -> None:
    """Adds the finite numbers of one record to `series` (name -> step -> value)."""
    step = next((record[key] for key in STEP_KEYS if isinstance(record.get(key), (int, float))), None)
    for key, value in record.items() if step is not None else ():
        name = key.rsplit('/', 1)[-1]
        is_wanted = ('loss' in name or name in SCORE_KEYS or name == 'lr'
                     or name == 'time' and 'loss' in record)
        if is_wanted and isinstance(value, (int, float)) and math.isfinite(value):
            series.setdefault(name, {})[float(step)] = float(value)


def total_seconds(times: Mapping[float, float]) -> Optional[float]:
    """Returns the seconds of all iterations: each logged mean stands for those since the one before.

    Args:
        times: mean seconds per iteration, by the step at which they were logged.
    """
    steps = [0.0, *sorted(times)]
    return sum((step - before) * times[step] for before, step in zip(steps, steps[1:])) if times else None
