"""Scores counted by hand, and those of mmdet3d's own functions with overlaps of an independent clipping."""
import sys
import types

import numpy as np
import pytest

from geminifusion3d.kitti.average_precision import eleven, forty, kitti_average_precision


def annotations(rows, scores=None):
    """Returns the arrays of boxes (name, x, z, alpha, height in px, occluded) of one size."""
    n = len(rows)
    left = np.array([20.0 * row[1] + 500 for row in rows]).reshape(n)
    return dict(
        name=np.array([row[0] for row in rows], dtype='<U16'), truncated=np.zeros(n),
        occluded=np.array([row[5] for row in rows], int), alpha=np.array([row[3] for row in rows], float),
        bbox=np.stack([left, np.full(n, 100.0), left + 60, 100.0 +
                      np.array([row[4] for row in rows], float)], 1)
        if n else np.zeros((0, 4)),
        location=np.array([[row[1], 1.5, row[2]] for row in rows], float).reshape(n, 3),
        dimensions=np.tile([4.0, 1.5, 2.0], (n, 1)), rotation_y=np.zeros(n),
        score=np.zeros(n) if scores is None else np.array(scores, float))


def car(x, z=20.0, alpha=0.0, height_px=50.0, occluded=0, name='Car'):
    """Returns one row of `annotations`."""
    return name, x, z, alpha, height_px, occluded


def test_averages_take_every_fourth_recall_or_all_but_the_first():
    values = np.zeros(41)
    values[[0, 1, 4]] = 1, 0.5, 0.25
    assert eleven(values) == pytest.approx(100 * 1.25 / 11)
    assert forty(values) == pytest.approx(100 * 0.75 / 40)


def test_two_cars_of_which_one_is_found_behind_a_false_alarm():
    truth = [annotations([car(0), car(10)])]
    found = [annotations([car(0), car(30)], scores=[0.6, 0.9])]
    scores = kitti_average_precision(truth, found, ['Car'])
    # The one threshold, 0.6, has one true and one false detection: precision 1/2 at the first recall alone.
    for kind in ('2D', 'BEV', '3D'):
        assert scores[f'KITTI/Car_{kind}_AP11_easy_strict'] == pytest.approx(100 * 0.5 / 11)
        assert scores[f'KITTI/Car_{kind}_AP40_easy_strict'] == 0


def test_an_overlap_of_seven_tenths_is_asked_of_cars_and_half_when_loose():
    # Shifted by 0.8 of 4 m: 3.2 / 4.8 = 0.67.
    truth = [annotations([car(0), car(10)])] * 2
    found = [annotations([car(0.8), car(10.8)], scores=[0.9, 0.8])] * 2
    scores = kitti_average_precision(truth, found, ['Car'], ('BEV', '3D'))
    assert scores['KITTI/Car_3D_AP40_easy_strict'] == 0
    # Four of four: thresholds at 1/4, 1/2, 3/4, 1 of recall, the first counted at recall 0.
    assert scores['KITTI/Car_3D_AP40_easy_loose'] == pytest.approx(100 * 3 / 40)
    assert scores['KITTI/Car_BEV_AP11_easy_loose'] == pytest.approx(100 * 1 / 11)


def test_height_counts_in_3d_and_not_from_above():
    truth, found = [annotations([car(0), car(10)])], [annotations([car(0), car(10)], scores=[0.9, 0.8])]
    found[0]['location'][:, 1] -= 0.5   # 1.0 of 2.0 m is shared: one half.
    scores = kitti_average_precision(truth, found, ['Car'], ('BEV', '3D'))
    assert scores['KITTI/Car_3D_AP11_easy_loose'] == 0 < scores['KITTI/Car_BEV_AP11_easy_strict']


def test_what_is_hidden_low_a_van_or_not_to_care_about_costs_nothing():
    rows = [
        car(0), car(
            10, occluded=1), car(
            20, height_px=30.0), car(
                30, name='Van'), car(
                    40, name='DontCare')]
    truth = [annotations(rows)]
    found = [annotations([car(row[1], height_px=row[4]) for row in rows], scores=[0.5, 0.9, 0.8, 0.7, 0.6])]
    scores = kitti_average_precision(truth, found, ['Car'], ('2D', '3D'))
    assert scores['KITTI/Car_2D_AP11_easy_strict'] == pytest.approx(100 / 11)
    # Three cars are moderate; in 3D what lies where nobody labelled is a mistake.
    assert scores['KITTI/Car_3D_AP11_easy_strict'] == pytest.approx(100 * 0.5 / 11)


def test_a_turned_detection_costs_orientation_alone():
    truth = [annotations([car(0), car(10)])]
    found = [annotations([car(0, alpha=np.pi / 2), car(10, alpha=np.pi / 2)], scores=[0.9, 0.8])]
    scores = kitti_average_precision(truth, found, ['Car'], ('2D',))
    assert scores['KITTI/Car_AOS_AP11_easy_strict'] == pytest.approx(
        scores['KITTI/Car_2D_AP11_easy_strict'] / 2)


def test_nothing_found_and_nothing_there_score_zero():
    empty = [annotations([])]
    scores = kitti_average_precision(empty, empty, ['Car', 'Cyclist'])
    assert set(scores.values()) == {0.0} and 'KITTI/Overall_3D_AP40_hard' in scores


def test_a_class_without_a_threshold_is_refused():
    with pytest.raises(ValueError, match='KITTI scores Car, Pedestrian, Cyclist'):
        kitti_average_precision([], [], ['Tram'])


def shared_area(one, two):
    """Returns the common area by Sutherland and Hodgman; x, y, sizes, angle as in mmdet3d's kernel."""
    def corners(box):
        cos, sin = np.cos(box[4]), np.sin(box[4])
        x, y = np.array([-1, -1, 1, 1]) * box[2] / 2, np.array([-1, 1, 1, -1]) * box[3] / 2
        return np.stack([cos * x + sin * y + box[0], cos * y - sin * x + box[1]], 1)
    outline, window = list(corners(one)), corners(two)
    for start, end in zip(window, np.roll(window, -1, axis=0)):
        sides = [(end[0] - start[0]) * (p[1] - start[1]) - (end[1] - start[1]) * (p[0] - start[0])
                 for p in outline]
        clipped = []
        for i, (point, side) in enumerate(zip(outline, sides)):
            after, next_side = outline[(i + 1) % len(outline)], sides[(i + 1) % len(outline)]
            if side <= 0:
                clipped.append(point)
            if side * next_side < 0:
                clipped.append(point + side / (side - next_side) * (after - point))
        outline = clipped
        if not outline:
            return 0.0
    x, y = np.array(outline).T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def overlaps(boxes, others, criterion=-1, device_id=0):
    """Stands for mmdet3d's rotate_iou_gpu_eval."""
    shared = np.array([[shared_area(one, two) for two in others]
                      for one in boxes]).reshape(len(boxes), len(others))
    if criterion == 2:
        return shared
    return shared / ((boxes[:, 2] * boxes[:, 3])[:, None] + others[:, 2] * others[:, 3] - shared)


def random_frame(rng):
    """Returns ground truth of all kinds and detections near it, some of another class, some anywhere."""
    names = ['Car', 'Car', 'Pedestrian', 'Cyclist', 'Van', 'Person_sitting', 'Truck', 'DontCare']
    rows = [car(rng.uniform(-10, 10), rng.uniform(8, 30), rng.uniform(-3, 3), rng.uniform(20, 90),
                rng.choice([0, 0, 1, 2]), rng.choice(names)) for _ in range(rng.integers(2, 9))]
    truth = annotations(rows)
    truth['rotation_y'] = rng.uniform(-3, 3, len(rows))
    chosen = np.repeat(np.arange(len(rows)), rng.integers(0, 3, len(rows)))
    found = {key: values[chosen] for key, values in truth.items()}
    anything = rng.choice(['Car', 'Car', 'Pedestrian', 'Cyclist'], len(chosen))
    found['name'] = np.where(rng.random(len(chosen)) < 0.3, anything, found['name'])
    found['location'] = found['location'] + rng.normal(0, 0.15, (len(chosen), 3))
    found['rotation_y'] = found['rotation_y'] + rng.normal(0, 0.1, len(chosen))
    found['score'] = np.round(rng.uniform(0.1, 1, len(chosen)), 1)
    return truth, found


def test_equals_mmdet3ds_own_functions(monkeypatch):
    kernels = types.ModuleType('rotate_iou')
    kernels.rotate_iou_gpu_eval = overlaps
    folder = 'mmdet3d.evaluation.functional.kitti_utils'
    monkeypatch.setitem(sys.modules, f'{folder}.rotate_iou', kernels)
    from mmdet3d.evaluation.functional.kitti_utils.eval import kitti_eval
    rng = np.random.default_rng(0)
    truth, found = zip(*(random_frame(rng) for _ in range(15)))
    classes = ['Pedestrian', 'Cyclist', 'Car']
    _, theirs = kitti_eval(list(truth), list(found), classes, eval_types=['bbox', 'bev', '3d'])
    ours = kitti_average_precision(truth, found, classes)
    assert len(theirs) == 126 and max(theirs.values()) > 20
    assert {key: ours[key] for key in theirs} == pytest.approx(theirs, abs=1e-9)
