"""Where a modality matters: the scores with black, shuffled or no sensor data beside the clean ones."""
import argparse
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from ..text_table import number, terminal_table
from .changed_recipe import (read_sensors, with_black_cameras, with_empty_lidar, with_shuffled_cameras)
from .conditions import CLEAN, METRICS, Condition, Evaluate, ScoreBook, Scores, run_conditions
from .evaluate import evaluate
from .identity import identity_of

SCORES_FILE, JSON_FILE = 'scores.json', 'modalities.json'
DEFAULT_FOLDER = 'modalities'
LABELS = {CLEAN: 'all sensors', 'cameras-black': 'cameras black', 'cameras-shuffled': 'cameras shuffled',
          'lidar-empty': 'LiDAR empty'}
MODALITY_HEADER = ['sensors', *[cell for metric in METRICS for cell in (metric, f'Δ {metric}')]]


def measure_modalities(cfg: Config, arguments: argparse.Namespace, *, is_writer: bool) -> None:
    """Does what `tools/test.py --modality-deltas` asks for.

    Args:
        cfg: the recipe, with the checkpoint in `load_from`.
        arguments: the command line of `tools/test.py`.
        is_writer: write and speak; of several processes one does.

    Raises:
        UserError: if other flags silence sensors too.
    """
    if arguments.drop_cameras or arguments.drop_lidar or arguments.cameras_black:
        raise UserError('got --modality-deltas and a flag that silences sensors; it evaluates with all and '
                        'with silenced sensors itself, leave the other flags out')
    folder = Path(cfg.work_dir) / ('' if arguments.work_dir else DEFAULT_FOLDER)
    book = ScoreBook(path=folder / SCORES_FILE, identity=identity_of(cfg, cfg.load_from),
                     restart=arguments.restart)
    run_modalities(cfg, book, evaluate, is_writer=is_writer)


def modality_conditions(cfg: Config) -> List[Condition]:
    """Returns the clean evaluation and those that silence what the recipe reads.

    Args:
        cfg: the recipe.
    """
    sensors = read_sensors(cfg)
    conditions = [Condition(CLEAN, cfg)]
    if 'cameras' in sensors:
        conditions += [Condition('cameras-black', with_black_cameras(cfg)),
                       Condition('cameras-shuffled', with_shuffled_cameras(cfg))]
    if 'LiDAR' in sensors:
        conditions.append(Condition('lidar-empty', with_empty_lidar(cfg)))
    return conditions


def run_modalities(cfg: Config, book: ScoreBook, score: Evaluate, *,
                   say: Callable[[str], None] = print, is_writer: bool = True) -> List[Dict[str, Any]]:
    """Runs what is not done yet; returns one row a condition, with the deltas to the clean one.

    Args:
        cfg: the recipe.
        book: finished scores.
        score: runs one evaluation.
        say: shows one line.
        is_writer: keep results; of several processes one does.
    """
    conditions = modality_conditions(cfg)
    run_conditions(conditions, book, score, say=say, is_writer=is_writer)
    rows = modality_rows({one.name: book.scores[one.name] for one in conditions})
    if is_writer:
        write_json(Path(book.path).parent / JSON_FILE, rows, indent=2)
        say(modality_table(rows))
    return rows


def modality_rows(scores: Dict[str, Scores]) -> List[Dict[str, Any]]:
    """Returns name, mAP, NDS and their differences to the clean evaluation.

    Args:
        scores: by condition, the clean one among them.
    """
    return [dict(condition=name, **{metric: one[metric] for metric in METRICS},
                 **{f'{metric}_delta': one[metric] - scores[CLEAN][metric] for metric in METRICS})
            for name, one in scores.items()]


def modality_cells(row: Mapping[str, Any]) -> List[str]:
    """Returns one line of the table."""
    return [LABELS[row['condition']], *[cell for metric in METRICS for cell in (
        number(row[metric]), number(row[f'{metric}_delta'], signed=True))]]


def modality_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table for the terminal."""
    return terminal_table(MODALITY_HEADER, [modality_cells(row) for row in rows])
