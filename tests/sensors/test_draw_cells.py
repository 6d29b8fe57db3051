"""Pictures of cells: labels left, predictions right, y up, later classes over earlier ones."""
import numpy as np

from geminifusion3d.nuscenes_facts import MAP_CLASSES
from geminifusion3d.sensors.visualizer import BACKGROUND_RGB, MARGIN_PX, UNKNOWN_RGB, cell_colours, draw_cells

CLASSES = ('drivable_area', 'walkway')


def panels(scores, labels):
    """Returns the cells of both panels, 40 x 20 pixels a cell at 10 columns and 5 rows."""
    picture = draw_cells(CLASSES, scores, labels)
    half = picture.shape[1] // 2
    return [picture[MARGIN_PX + 20:MARGIN_PX + 200:40, side + 8 + 20:side + 8 + 400:40][::-1]
            for side in (0, half)]


def test_cells_are_drawn_at_their_place_in_their_colour():
    labels, scores = np.zeros((2, 5, 10), np.uint8), np.full((2, 5, 10), 0.2, np.float32)
    labels[0, :2], labels[:, 4, 9], scores[1, 1, 3] = 1, 255, 0.5
    labels[1, 0, 0] = 1
    road, walkway = cell_colours(CLASSES)
    left, right = panels(scores, labels)
    assert (left[1] == road).all() and (left[0, 1:] == road).all() and (left[0, 0] == walkway).all()
    assert (left[4, 9] == UNKNOWN_RGB).all() and (left[4, :9] == BACKGROUND_RGB).all()
    assert (right[1, 3] == walkway).all() and (right == BACKGROUND_RGB).all(axis=2).sum() == 49


def test_classes_have_different_colours():
    for classes in (tuple(MAP_CLASSES), tuple('abcdefgh')):
        assert len(set(map(tuple, cell_colours(classes)))) == len(classes)


def test_without_labels_there_is_one_panel():
    scores = np.zeros((2, 5, 10), np.float32)
    assert draw_cells(CLASSES, scores).shape[1] * 2 == draw_cells(CLASSES, scores, scores).shape[1]
