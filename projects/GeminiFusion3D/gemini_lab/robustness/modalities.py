"""Where a modality matters: the scores with black, shuffled or no sensor data beside the clean ones."""
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.modalities import RADAR

from ..jobs import Results
from ..text_table import number, terminal_table
from .changed_recipe import (read_sensors, with_black_cameras, with_empty_lidar,
                             with_shuffled_cameras, with_silent_radar)
from .evaluations import CLEAN, METRICS, Condition, Evaluate, Scores, run_conditions

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
