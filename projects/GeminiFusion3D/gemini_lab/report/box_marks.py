"""How a drawn box is marked: whose it is, its score, whether it matches; styled by the page, switched
by its script."""
from dataclasses import dataclass
from html import escape
from typing import Optional, Sequence, Tuple

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionBox

from .samples import Sample
from .verdicts import Verdicts

KINDS = {'truth': 'truth', 'pred': 'prediction', 'other': 'other model'}


@dataclass(frozen=True)
class Layer:
    """Boxes that look alike.

    Attributes:
        style: their CSS class; empty for `truth` or `pred` by whether a box has a score.
        boxes: to draw.
        verdicts: on these boxes; None where not known.
    """

    style: str = ''
    boxes: Sequence[DetectionBox] = ()
    verdicts: Optional[Verdicts] = None


def layers_of(sample: Sample) -> Tuple[Layer, ...]:
    """Returns what to draw, the lowest first."""
    return (Layer('truth', sample.truth, sample.verdicts), Layer('other', sample.other_predictions),
            Layer('pred', sample.predictions, sample.verdicts))


def is_truth(box: DetectionBox) -> bool:
    """Ground truth has no score: the devkit gives it -1."""
    return box.detection_score < 0


def open_group(box: DetectionBox, min_score: float, layer: Layer = Layer()) -> str:
    """Opens the SVG group of a box, with its description on hover.

    Args:
        box: which.
        min_score: predictions below it start hidden, objects not found from it on start as missed.
        layer: of the box.
    """
    style = layer.style or ('truth' if is_truth(box) else 'pred')
    opened = truth_tag if style == 'truth' else prediction_tag
    speed_m_s = float(np.hypot(*box.velocity[:2]))
    motion = f', {speed_m_s:.1f} m/s' if np.isfinite(speed_m_s) else ''
    tag, verdict = opened(box, min_score, layer.verdicts, style)
    score = '' if style == 'truth' else f' {box.detection_score:.2f}'
    return (f'{tag}<title>{KINDS[style]}: {escape(box.detection_name)}{score}, '
            f'{box.ego_dist:.0f} m away{motion}{verdict}</title>')


def truth_tag(box: DetectionBox, min_score: float, verdicts: Optional[Verdicts], style: str
              ) -> Tuple[str, str]:
    """Returns the tag of an object and what became of it."""
    if verdicts is None:
        return f'<g class="{style}">', ''
    found_from = verdicts.found_from(box)
    missed = ' missed' if found_from < min_score else ''
    verdict = ', never found' if found_from < 0 else f', found with {found_from:.2f}'
    return f'<g class="{style}{missed}" data-found="{found_from:.6g}">', verdict


def prediction_tag(box: DetectionBox, min_score: float, verdicts: Optional[Verdicts], style: str
                   ) -> Tuple[str, str]:
    """Returns the tag of a prediction and whether it found something."""
    is_false = verdicts is not None and verdicts.is_false_positive(box)
    marks = (' false' if is_false else '') + (' low' if box.detection_score < min_score else '')
    return (f'<g class="{style}{marks}" data-score="{box.detection_score:.6g}">',
            ', found nothing' if is_false else '')
