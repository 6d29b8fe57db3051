"""The devkit's matching of predictions with annotations, kept instead of thrown away.

Source: nuscenes-devkit 1.2.0 eval/detection/algo.py `accumulate`. The delta: it returns which
annotation each prediction took, so that a breakdown can select among them; its own curves, computed
from the same pairs, are in matched_curves.
"""
from dataclasses import dataclass
from functools import cached_property
from typing import Dict, List, Sequence, Tuple

import numpy as np
from jaxtyping import Float, Int
from nuscenes.eval.common.utils import attr_acc, center_distance, scale_iou, velocity_l2, yaw_diff
from nuscenes.eval.detection.constants import TP_METRICS
from nuscenes.eval.detection.data_classes import DetectionBox

UNMATCHED = -1


@dataclass(frozen=True)
class ClassBoxes:
    """Everything of one class that counts, after the devkit's filters.

    Attributes:
        name: the class.
        annotations: in the order of the samples.
        annotation_sample: index of each annotation's sample.
        predictions: by falling score; of equal scores the later in the file comes first.
        prediction_sample: index of each prediction's sample.
    """

    name: str
    annotations: Tuple[DetectionBox, ...]
    annotation_sample: Int[np.ndarray, ' n_gt']
    predictions: Tuple[DetectionBox, ...]
    prediction_sample: Int[np.ndarray, ' n_pred']

    @cached_property
    def scores(self) -> Float[np.ndarray, ' n_pred']:
        """Score of each prediction."""
        return np.array([box.detection_score for box in self.predictions], dtype=float)


@dataclass(frozen=True)
class Matches:
    """Which annotation each prediction of a class took within one distance.

    Attributes:
        annotation_of: index into the class's annotations, or UNMATCHED.
        errors: for each of the devkit's five errors a number per prediction, NaN without a match or
            where the annotation does not know the truth.
    """

    annotation_of: Int[np.ndarray, ' n_pred']
    errors: Dict[str, Float[np.ndarray, ' n_pred']]

    @property
    def is_match(self) -> np.ndarray:
        """Whether each prediction has an annotation."""
        return self.annotation_of != UNMATCHED


def boxes_of_class(name: str, tokens: Sequence[str], annotations: Dict[str, List[DetectionBox]],
                   predictions: Dict[str, List[DetectionBox]]) -> ClassBoxes:
    """Collects one class in the devkit's order.

    Args:
        name: the class.
        tokens: the samples, in the order of the results file.
        annotations: filtered annotations by sample.
        predictions: filtered predictions by sample.
    """
    truth = [(index, box) for index, token in enumerate(tokens)
             for box in annotations[token] if box.detection_name == name]
    found = [(index, box) for index, token in enumerate(tokens)
             for box in predictions[token] if box.detection_name == name]
    order = sorted(range(len(found)), key=lambda i: (found[i][1].detection_score, i), reverse=True)
    return ClassBoxes(
        name=name, annotations=tuple(box for _, box in truth),
        annotation_sample=np.array([index for index, _ in truth], dtype=int),
        predictions=tuple(found[i][1] for i in order),
        prediction_sample=np.array([found[i][0] for i in order], dtype=int))


def match(boxes: ClassBoxes, threshold_m: float) -> Matches:
    """Lets each prediction, best score first, take the nearest free annotation of its sample.

    Args:
        boxes: one class.
        threshold_m: a match must be nearer than this in the ground plane.
    """
    annotation_of = np.full(len(boxes.predictions), UNMATCHED)
    centres_m = np.array([box.translation[:2] for box in boxes.annotations]).reshape(-1, 2)
    candidates = _by_sample(boxes.annotation_sample)
    is_free = np.ones(len(boxes.annotations), dtype=bool)
    for index, prediction in enumerate(boxes.predictions):
        free = candidates.get(boxes.prediction_sample[index])
        free = free[is_free[free]] if free is not None else ()
        if not len(free):
            continue
        offsets_m = centres_m[free] - np.asarray(prediction.translation[:2])
        # The devkit's own norm: another way to take the root may differ in the last bit.
        distances_m = [np.linalg.norm(offset_m) for offset_m in offsets_m]
        nearest = int(np.argmin(distances_m))
        if distances_m[nearest] < threshold_m:
            annotation_of[index] = free[nearest]
            is_free[free[nearest]] = False
    return Matches(annotation_of=annotation_of, errors=_errors(boxes, annotation_of))


def _by_sample(samples: Int[np.ndarray, ' n']) -> Dict[int, Int[np.ndarray, ' m']]:
    """Returns the positions of each sample's entries."""
    return {sample: np.flatnonzero(samples == sample) for sample in np.unique(samples)}


def _errors(boxes: ClassBoxes, annotation_of: Int[np.ndarray, ' n_pred']) -> Dict[str, np.ndarray]:
    """Returns the five errors of each matched pair."""
    # A barrier looks the same from both ends.
    period_rad = np.pi if boxes.name == 'barrier' else 2 * np.pi
    errors = {name: np.full(len(annotation_of), np.nan) for name in TP_METRICS}
    for index in np.flatnonzero(annotation_of != UNMATCHED):
        truth, found = boxes.annotations[annotation_of[index]], boxes.predictions[index]
        errors['trans_err'][index] = center_distance(truth, found)
        errors['vel_err'][index] = velocity_l2(truth, found)
        errors['scale_err'][index] = 1 - scale_iou(truth, found)
        errors['orient_err'][index] = yaw_diff(truth, found, period=period_rad)
        errors['attr_err'][index] = 1 - attr_acc(truth, found)
    return errors
