"""Reads the chosen samples with the boxes that their pictures show."""
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

from nuscenes import NuScenes
from nuscenes.eval.detection.data_classes import DetectionBox

from .analysis import Analysis, predictions_by_sample
from .boxes import predicted_boxes
from .samples import read_sample
from .samples_section import SampleCard
from .two_models import TwoModels

# Below this, hundreds of boxes per sample would only make the page large; the slider reaches it.
LOWEST_SCORE = 0.05
MOST_PREDICTIONS = 100


@dataclass(frozen=True)
class CardBoxes:
    """The boxes of the split.

    Attributes:
        truth: objects that count, by sample.
        results: predicted records by sample.
        analysis: the matching, if there is one.
        models: the comparison, if there is one.
    """

    truth: Mapping[str, Sequence[DetectionBox]]
    results: Mapping[str, Any]
    analysis: Optional[Analysis]
    models: Optional[TwoModels]


def read_cards(nusc: NuScenes, chosen: Sequence[Tuple[str, str]], boxes: CardBoxes) -> List[SampleCard]:
    """Reads the samples.

    Args:
        nusc: the dataset.
        chosen: tokens and why they are shown.
        boxes: of the split.
    """
    predictions = predicted_boxes(nusc, boxes.results, [token for token, _ in chosen])
    others = predictions_by_sample(boxes.models.analyses[1].evaluated) if boxes.models else {}
    verdicts = boxes.analysis.verdicts if boxes.analysis else None
    return [SampleCard(read_sample(
        nusc, token, truth=boxes.truth[token], predictions=worth_drawing(predictions[token]),
        other_predictions=worth_drawing(others.get(token, ())), verdicts=verdicts), reason)
        for token, reason in chosen]


def worth_drawing(predictions: Sequence[DetectionBox]) -> List[DetectionBox]:
    """Returns the surest predictions.

    Args:
        predictions: best first.
    """
    return [box for box in predictions if box.detection_score >= LOWEST_SCORE][:MOST_PREDICTIONS]
