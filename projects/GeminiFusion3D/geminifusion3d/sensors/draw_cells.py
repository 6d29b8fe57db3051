"""Pictures of segmented cells: labels beside predictions, x to the right and y up."""
from typing import Optional, Sequence, Tuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from ..geometry.bev_grid import UNKNOWN
from ..nuscenes_facts import MAP_CLASSES

# A road under everything that lies on it; colours of the devkit's map API, its order of drawing.
_MAP_RGB = {'drivable_area': (166, 206, 227), 'ped_crossing': (251, 154, 153), 'walkway': (227, 26, 28),
            'stop_line': (253, 191, 111), 'carpark_area': (255, 127, 0), 'divider': (106, 61, 154)}
BACKGROUND_RGB, UNKNOWN_RGB, TEXT_RGB = (245, 245, 245), (180, 180, 180), (20, 20, 20)
SMALLEST_PX, MARGIN_PX = 400, 24
FOUND = 0.5


def cell_colours(classes: Sequence[str]) -> Sequence[Tuple[int, int, int]]:
    """Returns an RGB colour per class: the devkit's for the classes of the map, different hues for others."""
    if set(classes) <= set(MAP_CLASSES):
        return [_MAP_RGB[name] for name in classes]
    hues = np.stack([np.arange(len(classes)) * 180 // max(len(classes), 1), np.full(len(classes), 200),
                     np.full(len(classes), 220)], axis=1).astype(np.uint8)
    rgb = cv2.cvtColor(hues[None], cv2.COLOR_HSV2RGB)[0].tolist()
    return [(red, green, blue) for red, green, blue in rgb]


def draw_cells(classes: Sequence[str], scores: Float[np.ndarray, 'k y x'],
               labels: Optional[Int[np.ndarray, 'k y x']] = None) -> UInt8[np.ndarray, 'h w 3']:
    """Draws predictions, beside the labels where there are some, and a legend below.

    Args:
        classes: names; later ones are drawn over earlier ones.
        scores: probabilities; from 0.5 on a cell is drawn.
        labels: 0, 1, or 255 (grey).

    Returns:
        An RGB picture.
    """
    panels = [] if labels is None else [('labels', labels == 1, (labels == UNKNOWN).all(axis=0))]
    panels.append(('prediction', scores >= FOUND, np.zeros(scores.shape[1:], bool)))
    return np.hstack([_panel(name, classes, is_class, is_unknown) for name, is_class, is_unknown in panels])


def _panel(name: str, classes: Sequence[str], is_class: np.ndarray, is_unknown: np.ndarray) -> np.ndarray:
    colours = cell_colours(classes)
    cells = np.full((*is_class.shape[1:], 3), BACKGROUND_RGB, np.uint8)
    cells[is_unknown] = UNKNOWN_RGB
    for mask, colour in zip(is_class, colours):
        cells[mask] = colour
    factor = max(1, -(-SMALLEST_PX // max(cells.shape[:2])))
    # Row 0 is the lowest y.
    view = cells[::-1].repeat(factor, axis=0).repeat(factor, axis=1)
    legend_px = MARGIN_PX * (len(classes) + 1)
    view = cv2.copyMakeBorder(view, MARGIN_PX, legend_px, 8, 8, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    _write(view, name, 8, MARGIN_PX - 7)
    top = MARGIN_PX + factor * cells.shape[0]
    for index, (text, colour) in enumerate(zip(classes, colours)):
        low = top + MARGIN_PX * index + 8
        cv2.rectangle(view, (8, low), (26, low + 14), colour, -1)
        _write(view, text, 34, low + 13)
    return view


def _write(picture: np.ndarray, text: str, left_px: int, bottom_px: int) -> None:
    cv2.putText(picture, text, (left_px, bottom_px), cv2.FONT_HERSHEY_SIMPLEX, 0.5, TEXT_RGB, 1, cv2.LINE_AA)
