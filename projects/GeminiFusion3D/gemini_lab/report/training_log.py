"""Reads training curves: the engine's `losses.jsonl`, the host's `scalars.json`, or another list.

`losses.jsonl` holds exact losses per iteration. The host (mmengine's LocalVisBackend) appends one
JSON object per line to `<work-dir>/<time stamp>/vis_data/scalars.json`; a resumed run starts
another time stamp and repeats some steps, and the last word on a step wins. A work directory that
holds both gives losses from the first and scores from the second. Other files may be JSON lines,
one JSON list of objects with a step (`iter` or `step`) and `loss`, a list of losses, or CSV.
"""
import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from geminifusion3d.errors import UserError

STEP_KEYS = ('step', 'iter', 'iteration')
# Measured durations and memory differ from run to run: they are no part of a reproducible page.
IGNORED_KEYS = {'time', 'data_time', 'memory', 'epoch', *STEP_KEYS}
SCORE_KEYS = {'mAP', 'NDS'}
CURVE_NAMES = ('losses.jsonl', 'losses.json', 'loss_curve.jsonl', 'loss_curve.json',
               'loss_curve.csv')

Series = List[Tuple[float, float]]


@dataclass
class TrainingLog:
    """Curves by name, each a list of (step, value) sorted by step.

    losses: `loss` and its parts over iterations; scores: mAP and NDS over what the log counts
    (epochs or iterations); rates: the learning rate over iterations.
    """

    losses: Dict[str, Series] = field(default_factory=dict)
    scores: Dict[str, Series] = field(default_factory=dict)
    rates: Dict[str, Series] = field(default_factory=dict)


def read_training_log(path: Path) -> TrainingLog:
    """Reads one log file, or all that a work directory holds.

    Raises:
        UserError: if there is no log, or it holds no loss.
    """
    curve, scalars = log_files(path)
    series: Dict[str, Dict[float, float]] = {}
    for file in scalars:
        for record in records(file):
            collect(record, series)
    if curve is not None:
        series = {name: by_step for name, by_step in series.items() if name in SCORE_KEYS}
        for record in records(curve):
            collect(record, series)
    log = TrainingLog()
    for name, by_step in series.items():
        group = log.scores if name in SCORE_KEYS else log.rates if name == 'lr' else log.losses
        group[name] = sorted(by_step.items())
    if 'loss' not in log.losses:
        raise UserError(f'{path} holds no training loss (a field `loss` with `step` or `iter`); '
                        f'give the work directory of a training, or leave --train-log away')
    return log


def log_files(path: Path) -> Tuple[Optional[Path], List[Path]]:
    """Returns the loss curve, if there is one, and the host's logs, oldest first."""
    if path.is_file():
        return None, [path]
    if not path.is_dir():
        raise UserError(f'the training log {path} does not exist; give losses.jsonl, '
                        f'scalars.json, or the work directory of a training')
    scalars = sorted(path.rglob('vis_data/scalars.json')) or sorted(path.glob('scalars.json'))
    curve = next((path / name for name in CURVE_NAMES if (path / name).is_file()), None)
    if curve is None and not scalars:
        raise UserError(f'{path} holds no {CURVE_NAMES[0]} and no vis_data/scalars.json; '
                        f'give the work directory of a training')
    return curve, scalars


def records(file: Path) -> Iterator[Mapping[str, Any]]:
    """Yields one mapping per logged step; a half-written last line of a killed run is left out."""
    text = file.read_text()
    if file.suffix == '.csv':
        yield from csv.DictReader(text.splitlines())
        return
    try:
        content = json.loads(text)
    except ValueError:
        yield from json_lines(text, file)
        return
    yield from whole_file(content, file)


def json_lines(text: str, file: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the objects of a JSON-lines file."""
    lines = [line for line in text.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        try:
            record = json.loads(line)
        except ValueError as error:
            if index == len(lines) - 1:
                return
            raise UserError(f'{file}, line {index + 1} is not JSON ({error}); '
                            f'give a file that training wrote') from error
        if isinstance(record, dict):
            yield record


def whole_file(content: Any, file: Path) -> Iterator[Mapping[str, Any]]:
    """Yields the records of a file that is one JSON value: a list or an object of lists."""
    if isinstance(content, dict) and isinstance(content.get('loss'), list):
        steps = next((content[key] for key in STEP_KEYS if key in content), None)
        steps = steps or range(1, len(content['loss']) + 1)
        content = [{'step': s, 'loss': loss} for s, loss in zip(steps, content['loss'])]
    elif isinstance(content, dict):
        nested = next((v for v in content.values() if isinstance(v, list)), None)
        content = nested if nested is not None else [content]
    if not isinstance(content, list):
        raise UserError(f'{file} holds a {type(content).__name__}, expected training records')
    for index, record in enumerate(content):
        if isinstance(record, (list, tuple)) and len(record) == 2:
            record = {'step': record[0], 'loss': record[1]}
        yield record if isinstance(record, dict) else {'step': index + 1, 'loss': record}


def collect(record: Mapping[str, Any], series: Dict[str, Dict[float, float]]) -> None:
    """Adds the finite numbers of one record to `series` (name -> step -> value)."""
    step = next((as_number(record[key]) for key in STEP_KEYS if key in record), None)
    if step is None:
        return
    for key, raw in record.items():
        name = key.rsplit('/', 1)[-1]
        value = as_number(raw)
        wanted = 'loss' in name or name in SCORE_KEYS or name == 'lr'
        if wanted and name not in IGNORED_KEYS and value is not None:
            series.setdefault(name, {})[step] = value


def as_number(raw: Any) -> Optional[float]:
    """Returns a finite float, or None for anything else."""
    try:
        value = float(raw)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
