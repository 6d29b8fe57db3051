"""Evaluations of one model under conditions: each runs once and is kept, an interrupted series goes on.

Where a modality matters: the scores with black, shuffled or no sensor data beside the clean ones.
"""
import copy
import gc
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.engine.runner import GeminiRunner
from geminifusion3d.errors import UserError
from geminifusion3d.modalities import RADAR

from ..jobs import PACKAGE, Results, identity
from ..text_table import number, terminal_table
from .changed_recipe import (read_sensors, with_black_cameras, with_empty_lidar, with_shuffled_cameras,
                             with_silent_radar)

SCORES_FILE = 'scores.json'
CLEAN = 'clean'
METRICS = ('mAP', 'NDS')
# Where the pictures are written and who runs the processes changes no score.
NOT_OF_THE_MODEL = ('work_dir', 'launcher', 'load_from', 'resume', 'experiment_name', 'log_level')

Scores = Dict[str, float]
# (recipe under a condition, folder for its files) -> mAP and NDS.
Evaluate = Callable[[Config, Path], Scores]


@dataclass(frozen=True)
class Condition:
    """One evaluation.

    Attributes:
        name: unique, fit for a folder.
        cfg: the recipe under this condition.
        same_as: name of an earlier condition whose scores these are, since the recipe does not read what
            differs; empty if it has to be evaluated.
    """

    name: str
    cfg: Config
    same_as: str = ''


def open_scores(cfg: Config, folder: Path, *, restart: bool = False) -> Results:
    """Returns the finished evaluations of a folder.

    They belong to the recipe, its checkpoint (`load_from`), its info file, and the code: of the product and
    of what corrupts the sensors.

    Args:
        cfg: the recipe.
        folder: where the file of scores lies.
        restart: drop scores of something else instead of refusing to mix them.
    """
    dataset = cfg.test_dataloader.dataset
    recipe = {key: value for key, value in cfg.to_dict().items() if key not in NOT_OF_THE_MODEL}
    return Results(folder / SCORES_FILE, identity(
        config=recipe, checkpoint=Path(cfg.load_from), dataset=Path(dataset.data_root) / dataset.ann_file,
        code=[PACKAGE, Path(__file__).parents[1] / 'corruptions']), restart=restart)


def run_conditions(conditions: Sequence[Condition], results: Results, evaluate: Evaluate, *,
                   say: Callable[[str], None] = print, is_writer: bool = True) -> Dict[str, Scores]:
    """Evaluates what is not there yet, in the given order; returns the scores of all by condition.

    Args:
        conditions: what to evaluate.
        results: what is done; gets each evaluation as soon as it is there.
        evaluate: runs one.
        say: shows one line.
        is_writer: write and speak; of several processes one does.
    """
    waiting: List[Condition] = [one for one in conditions if one.name not in results.parts]
    done, seconds = len(conditions) - len(waiting), []
    if done and is_writer:
        say(f'{done} of {len(conditions)} evaluations are done')
    for place, condition in enumerate(waiting):
        start_s = time.monotonic()
        if condition.same_as:
            scores = results.parts[condition.same_as]
        else:
            scores = evaluate(condition.cfg, results.path.parent / condition.name)
            seconds.append(time.monotonic() - start_s)
        if not is_writer:
            results.parts[condition.name] = scores
            continue
        results.keep(condition.name, scores)
        still = sum(not one.same_as for one in waiting[place + 1:])
        left_min = still * sum(seconds) / len(seconds) / 60 if seconds and still else None
        about = '' if left_min is None else f', about {left_min:.0f} min left'
        say(f'[{done + place + 1}/{len(conditions)}{about}] {condition.name}: '
            + ' '.join(f'{metric} {scores[metric]:.4f}' for metric in METRICS))
    return {one.name: results.parts[one.name] for one in conditions}


def evaluate_recipe(cfg: Config, folder: Path) -> Scores:
    """Evaluates the checkpoint in `load_from`; returns mAP and NDS. The split must have annotations."""
    metrics: Dict[str, Any] = build_runner(cfg, folder).test()
    # The runner's loading workers end with it, and it is part of a cycle.
    gc.collect()
    by_name = {key.rsplit('/', 1)[-1]: value for key, value in metrics.items()}
    if not all(metric in by_name for metric in METRICS):
        raise UserError(f'the evaluation gave {", ".join(by_name) or "no metric"}, expected '
                        f'{" and ".join(METRICS)}: a split without annotations cannot be scored')
    return {metric: float(by_name[metric]) for metric in METRICS}


def build_runner(cfg: Config, folder: Path) -> GeminiRunner:
    """Returns a runner whose files go to a folder; several may live in one process."""
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(folder), f'{folder.parent.name}_{folder.name}'
    return GeminiRunner.from_cfg(cfg)


JSON_FILE = 'modalities.json'
LABELS = {CLEAN: 'all sensors', 'cameras-black': 'cameras black', 'cameras-shuffled': 'cameras shuffled',
          'lidar-empty': 'LiDAR empty', 'radars-silent': 'radars silent'}
MODALITY_HEADER = ['sensors', *[cell for metric in METRICS for cell in (metric, f'Δ {metric}')]]


def modality_conditions(cfg: Config) -> List[Condition]:
    """Returns the clean evaluation and those that silence what the recipe reads."""
    sensors = read_sensors(cfg)
    conditions = [Condition(CLEAN, cfg)]
    if 'cameras' in sensors:
        conditions += [Condition('cameras-black', with_black_cameras(cfg)),
                       Condition('cameras-shuffled', with_shuffled_cameras(cfg))]
    if 'LiDAR' in sensors:
        conditions.append(Condition('lidar-empty', with_empty_lidar(cfg)))
    if RADAR in sensors:
        conditions.append(Condition('radars-silent', with_silent_radar(cfg)))
    return conditions


def run_modalities(cfg: Config, results: Results, evaluate: Evaluate, *,
                   say: Callable[[str], None] = print, is_writer: bool = True) -> List[Dict[str, Any]]:
    """Runs what is not done yet; returns one row per condition, with the deltas to the clean one."""
    rows = modality_rows(run_conditions(modality_conditions(cfg), results, evaluate, say=say,
                                        is_writer=is_writer))
    if is_writer:
        write_json(Path(results.path).parent / JSON_FILE, rows, indent=2)
        say(terminal_table(MODALITY_HEADER, [modality_cells(row) for row in rows]))
    return rows


def modality_rows(scores: Dict[str, Scores]) -> List[Dict[str, Any]]:
    """Returns name, mAP, NDS and their differences to the clean evaluation."""
    return [dict(condition=name, **{metric: one[metric] for metric in METRICS},
                 **{f'{metric}_delta': one[metric] - scores[CLEAN][metric] for metric in METRICS})
            for name, one in scores.items()]


def modality_cells(row: Mapping[str, Any]) -> List[str]:
    """Returns one line of the table."""
    return [LABELS[row['condition']], *[cell for metric in METRICS for cell in (
        number(row[metric]), number(row[f'{metric}_delta'], signed=True))]]
