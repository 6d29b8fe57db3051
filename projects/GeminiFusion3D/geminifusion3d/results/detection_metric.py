"""Average precision of own classes on own data, where the nuScenes devkit has nothing to say.

Reads what the dataset hands on with each sample; needs no tables, poses or velocities.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int
from mmdet3d.registry import METRICS
from mmdet3d.structures import BaseInstance3DBoxes
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..atomic import write_json
from ..errors import UserError
from ..learned_samples import Overlap, said_of
from .detection_ap import (BOX_COLUMNS, UNMATCHED, center_distances_m, distance_average_precision,
                           match_nearest, overlap_average_precision, rotated_overlaps)

METRICS_NAME = 'detection_metrics.json'


@dataclass(frozen=True)
class SampleBoxes:
    """Predictions and objects of one sample, in the LiDAR frame.

    Attributes:
        index: of the sample in its dataset.
        boxes: gravity centre x, y, z; length, width, height; yaw.
        scores: of the predictions.
        labels: of the predictions.
        object_boxes: as `boxes`.
        object_labels: of the objects.
    """

    index: int
    boxes: Float[np.ndarray, 'n 7']
    scores: Float[np.ndarray, ' n']
    labels: Int[np.ndarray, ' n']
    object_boxes: Float[np.ndarray, 'm 7']
    object_labels: Int[np.ndarray, ' m']


@METRICS.register_module()
class GeminiDetectionMetric(BaseMetric):
    """AP by centre distance, as nuScenes defines it, and by rotated overlap, of any classes.

    Objects come from `eval_ann_info` or `gt_instances_3d` of the samples, class names from the dataset's
    metainfo. A class without an object is left out of all means.

    Args:
        distances_m: a prediction finds an object whose centre is nearer than this in the ground plane.
        overlaps: or one that it overlaps at least so much.
        with_height: overlaps are of volumes; False: of areas seen from above.
        range_edges_m: edges of the distances from the LiDAR for which AP is given beside the whole; what
            lies beyond the last is not evaluated.
        class_range_m: the distance up to which a class is evaluated, where it is not the last edge.
        out_dir: where detection_metrics.json goes; without it there is no file.
        prefix: put before the names of the metrics. Defaults to 'Detection'.
        collect_device: how the processes exchange results, 'cpu' or 'gpu'.

    Raises:
        UserError: if a threshold or an edge makes no sense.
    """

    default_prefix = 'Detection'

    def __init__(self, *, distances_m: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
                 overlaps: Sequence[float] = (0.3, 0.5, 0.7), with_height: bool = True,
                 range_edges_m: Sequence[float] = (0.0, 20.0, 40.0, float('inf')),
                 class_range_m: Optional[Mapping[str, float]] = None, out_dir: Optional[str] = None,
                 prefix: Optional[str] = None, collect_device: str = 'cpu') -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not distances_m or min(distances_m) <= 0 or any(not 0 < overlap <= 1 for overlap in overlaps):
            raise UserError(f'got distances_m={list(distances_m)} and overlaps={list(overlaps)}; expected at '
                            'least one distance above 0 and overlaps above 0 and at most 1')
        if len(range_edges_m) < 2 or any(low >= high for low, high in zip(range_edges_m, range_edges_m[1:])):
            raise UserError(f'got range_edges_m={list(range_edges_m)}; expected two or more that rise')
        self.distances_m, self.overlaps = list(distances_m), list(overlaps)
        self.with_height = with_height
        self.range_edges_m = [float(edge_m) for edge_m in range_edges_m]
        self.class_range_m = dict(class_range_m or {})
        self.out_dir = out_dir
        # Set by the runner: how many of the samples the weights had learned.
        self.overlap: Optional[Overlap] = None

    @property
    def class_names(self) -> Tuple[str, ...]:
        """Classes of the dataset, in the order of its labels.

        Raises:
            UserError: if the dataset names none, or class_range_m names others.
        """
        names = tuple((self.dataset_meta or {}).get('classes') or ())
        unknown = [name for name in self.class_range_m if name not in names]
        if not names or unknown:
            raise UserError(f'the dataset has the classes {", ".join(names) or "(none)"}'
                            + (f', class_range_m names {unknown[0]!r}' if unknown else '')
                            + '; name them in metainfo=dict(classes=[...]) of the dataset')
        return names

    def process(self, data_batch: Any, data_samples: Sequence[Dict[str, Any]]) -> None:
        """Takes predictions and objects of a batch.

        Args:
            data_batch: inputs of the model, not needed.
            data_samples: outputs with `pred_instances_3d`, `sample_idx` and the objects.

        Raises:
            UserError: if a sample has no objects with it, or labels that no class has.
        """
        count = len(self.class_names)
        for sample in data_samples:
            found, (truth, object_labels) = sample['pred_instances_3d'], _objects(sample)
            labels = _numbers(found['labels_3d']).astype(int)
            for name, values in (('model predicts', labels), ('dataset holds', object_labels)):
                if len(values) and values.max() >= count:
                    raise UserError(f'the {name} label {values.max()}, the dataset names {count} classes; '
                                    'let both have the same')
            boxes, scores = _gravity_boxes(found['bboxes_3d']), _numbers(found['scores_3d'])
            is_sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (boxes[:, 3:6] > 0).all(axis=1)
            is_known = object_labels >= 0
            self.results.append(SampleBoxes(
                index=int(sample.get('sample_idx', len(self.results))), boxes=boxes[is_sound],
                scores=scores[is_sound], labels=labels[is_sound], object_boxes=truth[is_known],
                object_labels=object_labels[is_known]))

    def compute_metrics(self, results: List[SampleBoxes]) -> Dict[str, float]:
        """Scores all samples.

        Args:
            results: what `process` made, of all processes, in any order, padding included.

        Returns:
            The metrics without prefix: mAP and mAP_iou over all classes, distances and overlaps; AP by class
            and threshold; AP of each class and range.

        Raises:
            UserError: if there is no object at all.
        """
        by_index = {sample.index: sample for sample in results}
        samples = [by_index[index] for index in sorted(by_index)]
        tables = {name: scored for label, name in enumerate(self.class_names)
                  if (scored := self._score_class(label, name, samples))}
        if not tables:
            raise UserError(f'{len(samples)} samples hold no object of the classes '
                            f'{", ".join(self.class_names)} within range; nothing can be scored')
        metrics = {'mAP': _mean(table[f'AP_dist_{value:g}'] for table in tables.values()
                                for value in self.distances_m)}
        if self.overlaps:
            metrics['mAP_iou'] = _mean(table[f'AP_iou_{value:g}'] for table in tables.values()
                                       for value in self.overlaps)
        for name, table in tables.items():
            metrics.update({f'{name}_{key}': value for key, value in table.items()})
        left_out = [name for name in self.class_names if name not in tables]
        print_log(_table(tables) + (f'\nno object, not scored: {", ".join(left_out)}' if left_out else ''),
                  logger='current')
        if self.out_dir is not None:
            write_json(Path(self.out_dir) / METRICS_NAME, {**metrics, **said_of(self.overlap)}, indent=2)
        return metrics

    def _score_class(self, label: int, class_name: str, samples: Sequence[SampleBoxes]) -> Dict[str, float]:
        """Returns the AP of one class by threshold, and by range; nothing without an object."""
        limit_m = self.class_range_m.get(class_name, self.range_edges_m[-1])
        cases = [_case(sample, label, self.range_edges_m[0], limit_m) for sample in samples]
        range_m = np.concatenate([case.range_m for case in cases])
        object_range_m = np.concatenate([case.object_range_m for case in cases])
        scores = np.concatenate([case.scores for case in cases])
        if not len(object_range_m):
            return {}
        distance_m = [center_distances_m(case.boxes, case.objects) for case in cases]
        overlap = [rotated_overlaps(case.boxes, case.objects, with_height=self.with_height) if self.overlaps
                   else distances_m for case, distances_m in zip(cases, distance_m)]
        table: Dict[str, float] = {}
        by_range: Dict[str, float] = {}
        kinds: List[Tuple[str, Sequence[float], Callable[..., float], List[np.ndarray]]] = [
            ('dist', self.distances_m, distance_average_precision, distance_m),
            ('iou', self.overlaps, overlap_average_precision, overlap)]
        for kind, thresholds, average_precision, pairs in kinds:
            for threshold in thresholds:
                match = match_nearest if kind == 'dist' else _match_overlapping
                object_of = [match(pair[::-1], threshold)[::-1] for pair in pairs]
                is_match = np.concatenate(object_of) != UNMATCHED
                table[f'AP_{kind}_{threshold:g}'] = average_precision(scores, is_match, len(object_range_m))
                # A prediction that found an object lies where the object does.
                of_object_m = [np.append(case.object_range_m, np.nan)[taken]
                               for case, taken in zip(cases, object_of)]
                place_m = np.where(is_match, np.concatenate(of_object_m), range_m)
                for low_m, high_m in zip(self.range_edges_m, self.range_edges_m[1:]):
                    n_objects = int(np.sum(_within(object_range_m, low_m, high_m)))
                    counts = _within(place_m, low_m, high_m)
                    if n_objects:
                        name = f'AP_{kind}_{low_m:g}-{high_m:g}m'
                        by_range[name] = by_range.get(name, 0.0) + average_precision(
                            scores[counts], is_match[counts], n_objects) / len(thresholds)
        return {**table, **by_range}


@dataclass(frozen=True)
class _Case:
    """Predictions, best score last, and objects of one class in one sample, with distances to the LiDAR."""

    boxes: Float[np.ndarray, 'n 7']
    scores: Float[np.ndarray, ' n']
    range_m: Float[np.ndarray, ' n']
    objects: Float[np.ndarray, 'm 7']
    object_range_m: Float[np.ndarray, ' m']


def _case(sample: SampleBoxes, label: int, low_m: float, high_m: float) -> _Case:
    def select(boxes: Float[np.ndarray, 'n 7'], labels: Int[np.ndarray, ' n']) -> Int[np.ndarray, ' k']:
        return np.flatnonzero((labels == label) & _within(np.hypot(boxes[:, 0], boxes[:, 1]), low_m, high_m))

    ours = select(sample.boxes, sample.labels)
    ours = ours[np.argsort(sample.scores[ours], kind='stable')]
    objects = sample.object_boxes[select(sample.object_boxes, sample.object_labels)]
    boxes = sample.boxes[ours]
    return _Case(boxes=boxes, scores=sample.scores[ours], range_m=np.hypot(boxes[:, 0], boxes[:, 1]),
                 objects=objects, object_range_m=np.hypot(objects[:, 0], objects[:, 1]))


def _match_overlapping(overlap: Float[np.ndarray, 'n m'], threshold: float) -> Int[np.ndarray, ' n']:
    """Lets each prediction take the free object that it overlaps most, at least so much."""
    # Just below: an overlap of exactly the threshold counts, also after rounding.
    return match_nearest(1 - overlap, 1 - threshold + 1e-9)


def _within(distance_m: Float[np.ndarray, ' n'], low_m: float, high_m: float) -> np.ndarray:
    return (distance_m >= low_m) & (distance_m < high_m)


def _objects(sample: Mapping[str, Any]) -> Tuple[Float[np.ndarray, 'm 7'], Int[np.ndarray, ' m']]:
    """Returns boxes and labels of a sample's objects."""
    info = sample.get('eval_ann_info')
    if info is not None:
        return _gravity_boxes(info['gt_bboxes_3d']), _numbers(info['gt_labels_3d']).astype(int)
    instances = sample.get('gt_instances_3d')
    if instances is None or 'bboxes_3d' not in instances:
        raise UserError('a sample comes without its objects; let the dataset hand them on '
                        '(test_mode=True, load_eval_anns=True)')
    return _gravity_boxes(instances['bboxes_3d']), _numbers(instances['labels_3d']).astype(int)


def _gravity_boxes(boxes: BaseInstance3DBoxes) -> Float[np.ndarray, 'n 7']:
    """Returns boxes by their gravity centres."""
    center_m, rest = _numbers(boxes.gravity_center), _numbers(boxes.tensor)[:, 3:BOX_COLUMNS]
    return np.concatenate([center_m, rest], axis=1).reshape(-1, BOX_COLUMNS)


def _numbers(values: Any) -> np.ndarray:
    """Returns a tensor or an array as float64."""
    return np.asarray(values.detach().cpu() if hasattr(values, 'detach') else values, dtype=np.float64)


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def _table(tables: Mapping[str, Mapping[str, float]]) -> str:
    """Returns the AP as a table to print, a line per class."""
    columns = list(dict.fromkeys(key for table in tables.values() for key in table))
    width = max(map(len, columns)) + 2
    lines = [f'{"class":<22}' + ''.join(f'{column:>{width}}' for column in columns)]
    for name, table in tables.items():
        lines.append(f'{name:<22}' + ''.join(
            f'{table[column]:>{width}.3f}' if column in table else f'{"-":>{width}}' for column in columns))
    return '\n'.join(lines)
