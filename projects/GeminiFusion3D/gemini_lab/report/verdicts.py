"""Which object was found with which score, and which prediction took none: the official matching.

The matching goes by falling score, so that what holds above a score does not depend on the boxes
below it: an object is found at every score up to that of the prediction that took it.
"""
from dataclasses import dataclass
from typing import Any, FrozenSet, List, Mapping, Tuple

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionBox

from ..analysis.evaluated_boxes import EvaluatedBoxes
from ..analysis.official_matching import Matches

# Below every score: no prediction took the object.
NEVER_FOUND = -1.0
BoxKey = Tuple[Any, ...]


@dataclass(frozen=True)
class Verdicts:
    """What the matching says about each box, by what identifies the box.

    Attributes:
        score_of_find: of each found object, the score of the prediction that took it.
        finders: predictions that took an object.
    """

    score_of_find: Mapping[BoxKey, float]
    finders: FrozenSet[BoxKey]

    def found_from(self, truth: DetectionBox) -> float:
        """Returns the highest lowest-score at which an object counts as found, or NEVER_FOUND."""
        return self.score_of_find.get(box_key(truth), NEVER_FOUND)

    def is_false_positive(self, prediction: DetectionBox) -> bool:
        """Says whether a prediction, of those that count, took no object."""
        return box_key(prediction) not in self.finders


@dataclass(frozen=True)
class SampleErrors:
    """What went wrong in one sample, of the predictions from a score on."""

    token: str
    objects: int
    missed: int
    false_positives: int


def box_key(box: DetectionBox) -> BoxKey:
    """Identifies a box of a results file or an annotation."""
    return (box.sample_token, box.detection_name, box.detection_score, *box.translation, *box.size,
            *box.rotation)


def judge(evaluated: EvaluatedBoxes, matches: Mapping[str, Matches]) -> Verdicts:
    """Returns the verdicts on all boxes that count."""
    score_of_find, finders = {}, []
    for boxes in evaluated.classes:
        annotation_of = matches[boxes.name].annotation_of
        for index in np.flatnonzero(matches[boxes.name].is_match):
            score_of_find[box_key(boxes.annotations[annotation_of[index]])] = float(boxes.scores[index])
            finders.append(box_key(boxes.predictions[index]))
    return Verdicts(score_of_find=score_of_find, finders=frozenset(finders))


def errors_by_sample(evaluated: EvaluatedBoxes, matches: Mapping[str, Matches], min_score: float
                     ) -> List[SampleErrors]:
    """Counts missed objects and false positives of every sample."""
    length = len(evaluated.tokens)
    objects, found, false = (np.zeros(length, dtype=int) for _ in range(3))
    for boxes in evaluated.classes:
        is_match = matches[boxes.name].is_match
        counts = boxes.scores >= min_score
        objects += np.bincount(boxes.annotation_sample, minlength=length)
        found += np.bincount(boxes.prediction_sample[counts & is_match], minlength=length)
        false += np.bincount(boxes.prediction_sample[counts & ~is_match], minlength=length)
    return [SampleErrors(token=token, objects=int(objects[i]), missed=int(objects[i] - found[i]),
                         false_positives=int(false[i]))
            for i, token in enumerate(evaluated.tokens)]


def worst_first(errors: List[SampleErrors]) -> List[SampleErrors]:
    """Takes in turn the sample with the most missed objects and that with the most false positives.

    Samples without either are left out.
    """
    wrong = [entry for entry in errors if entry.missed or entry.false_positives]
    by_missed = sorted(wrong, key=lambda entry: (-entry.missed, -entry.false_positives, entry.token))
    by_false = sorted(wrong, key=lambda entry: (-entry.false_positives, -entry.missed, entry.token))
    pairs = zip(by_missed, by_false)
    return list(dict.fromkeys(entry for pair in pairs for entry in pair))
