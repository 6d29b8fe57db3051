"""The devkit's matching of predictions with annotations, kept instead of thrown away, and its curves.

Source: nuscenes-devkit 1.2.0 eval/detection/algo.py `accumulate`. The delta: it returns which annotation each
prediction took, so that a breakdown can select among them; its curves, computed from the same pairs, take a
weight per prediction, with which a bootstrap counts a scene several times. All weights 1 give its numbers.
"""
from array import array
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from jaxtyping import Bool, Float, Int
from nuscenes.eval.common.utils import attr_acc, center_distance, scale_iou, velocity_l2, yaw_diff
from nuscenes.eval.detection.constants import ATTRIBUTE_NAMES, TP_METRICS
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionMetricData

UNMATCHED = -1
COLUMNS = {'translation': slice(0, 3), 'size': slice(3, 6), 'rotation': slice(6, 10),
           'velocity': slice(10, 12), 'ego_translation': slice(12, 15)}
SCORE, ATTRIBUTE, SAMPLE, WIDTH = 15, 16, 17, 18
ATTRIBUTES = ('', *ATTRIBUTE_NAMES)


class Predictions(Sequence[DetectionBox]):
    """Predictions of one class, best first, of equal scores the later in the file, in 144 bytes each.

    A DetectionBox, which takes ten times as much, is made of one when it is asked for.

    Args:
        name: the class.
        tokens: of the samples.
        rows: what `packed` gave, one after the other, in the order of the file.
    """

    def __init__(self, name: str, tokens: Sequence[str], rows: 'array[float]') -> None:
        self._name, self._tokens = name, tokens
        self._rows = np.frombuffer(rows).reshape(-1, WIDTH) if rows else np.zeros((0, WIDTH))
        self._order = np.lexsort((np.arange(len(self._rows)), self._rows[:, SCORE]))[::-1].astype(np.int32)

    @staticmethod
    def packed(box: DetectionBox, sample: int) -> List[float]:
        """Returns the numbers that stand for a box of a sample."""
        return [*box.translation, *box.size, *box.rotation, *box.velocity, *box.ego_translation,
                box.detection_score, ATTRIBUTES.index(box.attribute_name), sample]

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> DetectionBox:  # type: ignore[override]  # nobody takes slices
        row = self._rows[self._order[index]]
        numbers = {name: tuple(row[columns].tolist()) for name, columns in COLUMNS.items()}
        return DetectionBox(
            sample_token=self._tokens[int(row[SAMPLE])], detection_name=self._name, **numbers,
            detection_score=float(row[SCORE]), attribute_name=ATTRIBUTES[int(row[ATTRIBUTE])])

    @property
    def scores(self) -> Float[np.ndarray, ' n']:
        """Score of each."""
        return self._rows[self._order, SCORE]

    @property
    def samples(self) -> Int[np.ndarray, ' n']:
        """Index of the sample of each."""
        return self._rows[self._order, SAMPLE].astype(np.int32)

    def column(self, name: str) -> Float[np.ndarray, 'n k']:
        """Returns one of `COLUMNS` of each."""
        return self._rows[self._order, COLUMNS[name]]


@dataclass(frozen=True)
class ClassBoxes:
    """Everything of one class that counts, after the devkit's filters.

    Attributes:
        name: the class.
        annotations: in the order of the samples.
        annotation_sample: index of each annotation's sample.
        predictions: by falling score.
        prediction_sample: index of each prediction's sample.
        scores: of the predictions.
    """

    name: str
    annotations: Tuple[DetectionBox, ...]
    annotation_sample: Int[np.ndarray, ' n_gt']
    predictions: Predictions
    prediction_sample: Int[np.ndarray, ' n_pred']
    scores: Float[np.ndarray, ' n_pred']


@dataclass(frozen=True)
class Matches:
    """Which annotation each prediction of a class took within one distance.

    Attributes:
        annotation_of: index into the class's annotations, or UNMATCHED.
        errors: for each of the devkit's five errors a number per prediction, NaN without a match or
            where the annotation does not know the truth; none where nobody asks for them.
    """

    annotation_of: Int[np.ndarray, ' n_pred']
    errors: Dict[str, Float[np.ndarray, ' n_pred']]

    @property
    def is_match(self) -> np.ndarray:
        """Whether each prediction has an annotation."""
        return self.annotation_of != UNMATCHED


def boxes_of_class(name: str, tokens: Sequence[str], annotations: Mapping[str, Sequence[DetectionBox]],
                   predictions: Predictions) -> ClassBoxes:
    """Collects one class in the devkit's order."""
    truth = [(index, box) for index, token in enumerate(tokens)
             for box in annotations[token] if box.detection_name == name]
    return ClassBoxes(
        name=name, annotations=tuple(box for _, box in truth),
        annotation_sample=np.array([index for index, _ in truth], dtype=int),
        predictions=predictions, prediction_sample=predictions.samples, scores=predictions.scores)


def match(boxes: ClassBoxes, threshold_m: float, *, with_errors: bool = True) -> Matches:
    """Lets each prediction, best score first, take the nearest free annotation of its sample.

    Args:
        boxes: one class.
        threshold_m: a match must be nearer than this in the ground plane.
        with_errors: compute the five errors too.
    """
    annotation_of = np.full(len(boxes.predictions), UNMATCHED, np.int32)
    centres_m = np.array([box.translation[:2] for box in boxes.annotations]).reshape(-1, 2)
    candidates = _by_sample(boxes.annotation_sample)
    is_free = np.ones(len(boxes.annotations), dtype=bool)
    nobody = np.zeros(0, dtype=int)
    places_m = boxes.predictions.column('translation')[:, :2]
    for index, (sample, place_m) in enumerate(zip(boxes.prediction_sample.tolist(), places_m)):
        free = candidates.get(sample, nobody)
        free = free[is_free[free]]
        if not len(free):
            continue
        offsets_m = centres_m[free] - place_m
        # The devkit's own norm: another way to take the root may differ in the last bit.
        distances_m = [np.linalg.norm(offset_m) for offset_m in offsets_m]
        nearest = int(np.argmin(distances_m))
        if distances_m[nearest] < threshold_m:
            annotation_of[index] = free[nearest]
            is_free[free[nearest]] = False
    return Matches(annotation_of=annotation_of, errors=_errors(boxes, annotation_of) if with_errors else {})


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


def metric_data(*, scores: Float[np.ndarray, ' n'], is_match: Bool[np.ndarray, ' n'],
                errors: Dict[str, Float[np.ndarray, ' n']], n_annotations: float,
                weights: Optional[Float[np.ndarray, ' n']] = None) -> DetectionMetricData:
    """Returns precision, confidence and errors over 101 recalls.

    Args:
        scores: of the predictions, falling.
        is_match: whether each prediction has an annotation.
        errors: numbers per prediction by name, read only where it has an annotation; curves of the errors
            that are not given are NaN.
        n_annotations: how many there are to find, weighted like the predictions.
        weights: how often each prediction counts; once where None.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    counts = weights > 0
    scores, is_match, weights = scores[counts], is_match[counts], weights[counts]
    if n_annotations == 0 or not is_match.any():
        return DetectionMetricData.no_predictions()
    true_positives = np.cumsum(weights * is_match)
    precision = true_positives / np.cumsum(weights)
    recall = true_positives / float(n_annotations)
    recalls = np.linspace(0, 1, DetectionMetricData.nelem)
    confidence = np.interp(recalls, recall, scores, right=0)
    curves = {name: np.full(DetectionMetricData.nelem, np.nan) for name in TP_METRICS}
    curves.update({name: _error_curve(values[counts][is_match], weights[is_match], scores[is_match],
                                      confidence) for name, values in errors.items()})
    return DetectionMetricData(recall=recalls, precision=np.interp(recalls, recall, precision, right=0),
                               confidence=confidence, **curves)


def _error_curve(errors: np.ndarray, weights: np.ndarray, scores: np.ndarray,
                 confidence: np.ndarray) -> np.ndarray:
    """Returns the cumulative mean error at each confidence; both run from high to low."""
    is_known = ~np.isnan(errors)
    if not is_known.any():
        mean = np.ones(len(errors))
    else:
        known = np.cumsum(weights * is_known)
        total = np.cumsum(weights * np.where(is_known, errors, 0.0))
        mean = np.divide(total, known, out=np.zeros_like(total), where=known > 0)
    return np.interp(confidence[::-1], scores[::-1], mean[::-1])[::-1]
