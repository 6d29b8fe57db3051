"""Runs the unmodified nuScenes devkit on a results file and returns what it computed, quietly.

Used by the metric during training and testing, and by gemini3d score-ground-truth. The numbers are
those of `python -m nuscenes.eval.detection.evaluate`: same file, same configuration, same code.
"""
import contextlib
import io
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.constants import TP_METRICS
from nuscenes.eval.detection.data_classes import (DetectionConfig, DetectionMetricData,
                                                  DetectionMetricDataList, DetectionMetrics)
from nuscenes.eval.detection.evaluate import DetectionEval

from ..errors import UserError
from ..needed_tables import NeededTables
from ..nuscenes_facts import UNDEFINED_ERRORS
from ..submission.split_samples import scene_names, tables_folder
from ..submission.submission import has_boxes, read_meta

EVAL_CONFIG = 'detection_cvpr_2019'
ERROR_NAMES = {'trans_err': 'mATE', 'scale_err': 'mASE', 'orient_err': 'mAOE', 'vel_err': 'mAVE',
               'attr_err': 'mAAE'}


@dataclass(frozen=True)
class Evaluation:
    """What the devkit found, as strict JSON content.

    Attributes:
        summary: its metrics_summary.json without eval_time (which differs between two runs), null
            where the devkit writes NaN.
        details: its metrics_details.json: precision, confidence and errors over 101 recalls, by
            `class:threshold`.
    """

    summary: Dict[str, Any]
    details: Dict[str, Any]


def open_tables(*, data_root: Union[str, Path], version: str, split: Optional[str] = None) -> NuScenes:
    """Opens the tables of a dataset quietly.

    Args:
        data_root: folder of the dataset.
        version: name of the folder of the tables in it.
        split: official or custom; rows of other splits stay on disk.

    Returns:
        The devkit's tables, with keyframes of cameras and LiDAR only.

    Raises:
        UserError: if there is no such version under the data root, no such split in it, or its tables are
            damaged.
    """
    folder = tables_folder(data_root, version)
    scenes = None if split is None else scene_names(folder, version, split)
    try:
        return NeededTables(data_root, version, scenes=scenes)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AssertionError) as error:
        raise UserError(f'the tables in {folder} cannot be read ({error!r}); unpack {version} again'
                        ) from error


def evaluate_file(*, result_path: Union[str, Path], tables: NuScenes, split: str) -> Evaluation:
    """Scores a results file against the annotations of a split.

    Args:
        result_path: results JSON; every sample of the split must be a key.
        tables: the dataset, see open_tables.
        split: official split of this version or a custom one of its splits.json.

    Returns:
        What the devkit computes; where no prediction survives its filters, which it cannot evaluate, what
        follows from its definitions.
    """
    config = config_factory(EVAL_CONFIG)
    if not has_boxes(result_path):
        return _evaluation_of_nothing(config, result_path)
    with tempfile.TemporaryDirectory() as folder, quiet():
        judge = DetectionEval(tables, config=config, result_path=str(result_path),
                              eval_set=split, output_dir=folder, verbose=False)
        metrics, details = judge.evaluate()
    return _to_evaluation(metrics, details, judge.meta)


def format_table(summary: Dict[str, Any]) -> str:
    """Returns the scores as a table to print: one line per class, the means below."""
    columns = ('AP', 'ATE', 'ASE', 'AOE', 'AVE', 'AAE')
    lines = [f'{"class":<22}' + ''.join(f'{column:>8}' for column in columns)]
    for name, average_precision in summary['mean_dist_aps'].items():
        errors = summary['label_tp_errors'][name]
        values = [average_precision, *(errors[metric] for metric in TP_METRICS)]
        lines.append(_table_row(name, values))
    means = [summary['mean_ap'], *(summary['tp_errors'][metric] for metric in TP_METRICS)]
    lines.append(_table_row('mean', means))
    lines.append(f'mAP {summary["mean_ap"]:.4f}   NDS {summary["nd_score"]:.4f}')
    return '\n'.join(lines)


def _table_row(name: str, values: List[Union[float, None]]) -> str:
    cells = ['       -' if value is None else f'{value:8.3f}' for value in values]
    return f'{name:<22}' + ''.join(cells)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps the devkit's progress bar and prints off the terminal; exceptions pass."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _evaluation_of_nothing(config: DetectionConfig, result_path: Union[str, Path]) -> Evaluation:
    """Returns what the devkit computes when no prediction survives its filters."""
    metrics, details = DetectionMetrics(config), DetectionMetricDataList()
    for name in config.class_names:
        for threshold_m in config.dist_ths:
            details.set(name, threshold_m, DetectionMetricData.no_predictions())
            metrics.add_label_ap(name, threshold_m, 0.0)
        for metric in TP_METRICS:
            is_undefined = metric in UNDEFINED_ERRORS.get(name, ())
            metrics.add_label_tp(name, metric, np.nan if is_undefined else 1.0)
    return _to_evaluation(metrics, details, read_meta(result_path))


def _to_evaluation(metrics: DetectionMetrics, details: DetectionMetricDataList,
                   meta: Dict[str, Any]) -> Evaluation:
    """Serialises as the devkit does, minus the time it took, plus null for NaN."""
    summary = metrics.serialize()
    del summary['eval_time']
    summary['meta'] = dict(meta)
    return Evaluation(summary=_strict(summary), details=_strict(details.serialize()))


def _strict(value: Any) -> Any:
    """Returns JSON content with string keys and null for NaN."""
    if isinstance(value, dict):
        return {str(key): _strict(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_strict(entry) for entry in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value
