"""Intersection over union of segmented cells, class by class.

Source: MIT's BEVFusion, mmdet3d/datasets/nuscenes_dataset.py, evaluate_map. The delta: counts are whole
numbers (single precision loses cells beyond 16.8 million), and cells of unknown label do not count.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int
from mmdet3d.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..atomic import write_json
from ..errors import UserError
from ..geometry.bev_grid import UNKNOWN
from ..learned_samples import Overlap, said_of

METRICS_NAME = 'segmentation_metrics.json'
# Keeps a class without a cell, labelled or predicted, at 0, as in MIT's code.
NO_CELL = 1e-7


@dataclass(frozen=True)
class CellCounts:
    """What one sample adds to the score.

    Attributes:
        index: of the sample in its dataset.
        classes: names, in the order of the rows.
        counts: cells rightly found, wrongly found and missed, per class and threshold.
    """

    index: int
    classes: Tuple[str, ...]
    counts: Int[np.ndarray, '3 k t']


@METRICS.register_module()
class GeminiSegmentationMetric(BaseMetric):
    """IoU of every class at several thresholds; a class scores by its best, mIoU is their mean.

    A cell is found where its probability reaches the threshold. All samples are counted together. Classes
    and labels come with the samples (`gt_cells`, `pred_cells`, `cell_classes`).

    Args:
        thresholds: of the probability.
        out_dir: where segmentation_metrics.json goes; without it there is no file.
        prefix: put before the names of the metrics. Defaults to 'Segmentation'.
        collect_device: how the processes exchange results, 'cpu' or 'gpu'.

    Raises:
        UserError: if there are no thresholds, or one is not between 0 and 1.
    """

    default_prefix = 'Segmentation'

    def __init__(self, *, thresholds: Sequence[float] = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65),
                 out_dir: Optional[str] = None, prefix: Optional[str] = None, collect_device: str = 'cpu'
                 ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not thresholds or not all(0 < threshold < 1 for threshold in thresholds):
            raise UserError(f'got thresholds={list(thresholds)}; expected at least one, between 0 and 1')
        self.thresholds = [float(threshold) for threshold in thresholds]
        self.out_dir = out_dir
        # Set by the runner: how many of the samples the weights had learned.
        self.overlap: Optional[Overlap] = None

    def process(self, data_batch: Any, data_samples: Sequence[Dict[str, Any]]) -> None:
        """Counts the cells of a batch.

        Args:
            data_batch: inputs of the model, not needed.
            data_samples: outputs with `gt_cells`, `pred_cells`, `cell_classes` and `sample_idx`.

        Raises:
            UserError: if a sample has no prediction or no label, or a prediction is not finite.
        """
        for sample in data_samples:
            if 'pred_cells' not in sample or 'gt_cells' not in sample:
                what, remedy = (('gt_cells', 'let the test pipeline load labels and pack with '
                                 'GeminiPackInputs') if 'pred_cells' in sample
                                else ('pred_cells', 'test a model with a seg_head, without --tta'))
                raise UserError(f'sample {sample.get("token")} comes without {what}; expected labels and '
                                f'predictions of cells: {remedy}')
            found = np.asarray(sample['pred_cells'].cpu(), np.float32)
            if not np.isfinite(found).all():
                raise UserError(f'sample {sample.get("token")}: the model gives cells that are not finite; '
                                'expected probabilities: look for NaN in its weights or its input')
            counts = count_cells(found, np.asarray(sample['gt_cells'].cpu()), self.thresholds)
            self.results.append(CellCounts(int(sample['sample_idx']), tuple(sample['cell_classes']), counts))

    def compute_metrics(self, results: List[CellCounts]) -> Dict[str, float]:
        """Returns mIoU, the best IoU of every class, and its IoU at every threshold.

        Args:
            results: what `process` made, of all processes, in any order, padding included.

        Raises:
            UserError: if samples have different classes.
        """
        lists = {sample.classes for sample in results}
        if len(lists) > 1:
            raise UserError(f'samples come with the classes {" and with ".join(map(str, sorted(lists)))}; '
                            'expected one list: let all datasets load the same classes')
        by_index = {sample.index: sample for sample in results}
        found, wrong, missed = sum(sample.counts for sample in by_index.values()).astype(np.float64)
        iou = found / (found + wrong + missed + NO_CELL)
        classes = results[0].classes
        metrics = {'mIoU': float(iou.max(axis=1).mean())}
        for name, row in zip(classes, iou):
            metrics[f'{name}_IoU'] = float(row.max())
            metrics.update({f'{name}_IoU_{threshold:.2f}': float(value)
                            for threshold, value in zip(self.thresholds, row)})
        # Found or missed, whatever the threshold: labelled.
        empty = [name for name, cells in zip(classes, (found + missed)[:, 0]) if not cells]
        print_log(_table(classes, iou, self.thresholds)
                  + (f'\nno cell of {", ".join(empty)} is labelled: IoU 0, and counted' if empty else ''),
                  logger='current')
        if self.out_dir is not None:
            write_json(Path(self.out_dir) / METRICS_NAME, {**metrics, **said_of(self.overlap)}, indent=2)
        return metrics


def count_cells(scores: Float[np.ndarray, 'k y x'], labels: Int[np.ndarray, 'k y x'],
                thresholds: Sequence[float]) -> Int[np.ndarray, '3 k t']:
    """Returns the cells rightly found, wrongly found and missed, per class and threshold.

    Args:
        scores: probabilities in single precision, which the thresholds are rounded to.
        labels: 0, 1, or 255 where unknown.
        thresholds: a cell whose score reaches one is found.
    """
    is_true, is_known = labels == 1, labels != UNKNOWN
    counts = []
    for threshold in np.asarray(thresholds, np.float32):
        is_found = scores >= threshold
        counts.append([kind.sum(axis=(1, 2)) for kind in (
            is_found & is_true, is_found & ~is_true & is_known, ~is_found & is_true)])
    return np.moveaxis(np.array(counts, np.int64), 0, 2)


def _table(classes: Sequence[str], iou: Float[np.ndarray, 'k t'], thresholds: Sequence[float]) -> str:
    """Returns the IoU as a table to print, a line per class."""
    head = f'{"class":<22}{"IoU":>8}' + ''.join(f'{f"at {value:.2f}":>9}' for value in thresholds)
    rows = [(name, row.max(), row) for name, row in zip(classes, iou)]
    rows.append(('mean', iou.max(axis=1).mean(), iou.mean(axis=0)))
    return '\n'.join([head, *(f'{name:<22}{best:>8.3f}' + ''.join(f'{value:>9.3f}' for value in row)
                              for name, best, row in rows)])
