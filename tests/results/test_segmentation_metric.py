"""IoU by hand: best threshold per class, counted over all samples, unknown cells left out."""
import json

import numpy as np
import pytest
import torch

from geminifusion3d.errors import UserError
from geminifusion3d.results.segmentation_metric import GeminiSegmentationMetric, count_cells


def sample(scores, labels, index=0, classes=('road', )):
    return dict(pred_cells=torch.tensor(scores), gt_cells=torch.tensor(labels, dtype=torch.uint8),
                cell_classes=classes, sample_idx=index, token=f't{index}')


def score(samples, tmp_path=None, **settings):
    metric = GeminiSegmentationMetric(out_dir=tmp_path, **settings)
    metric.process(None, samples)
    return metric.evaluate(len({one['sample_idx'] for one in samples}))


def test_iou_of_four_cells_by_hand(tmp_path):
    # At 0.4 cells 0, 1, 2 are found, two of them rightly, none is missed: 2 / 3. At 0.6 cell 0: 1 / 2.
    found = score([sample([[[0.9, 0.45, 0.5, 0.1]]], [[[1, 1, 0, 0]]])], tmp_path, thresholds=(0.4, 0.6))
    assert found['Segmentation/road_IoU_0.40'] == pytest.approx(2 / 3)
    assert found['Segmentation/road_IoU_0.60'] == pytest.approx(1 / 2)
    assert found['Segmentation/road_IoU'] == found['Segmentation/mIoU'] == pytest.approx(2 / 3)
    written = json.loads((tmp_path / 'segmentation_metrics.json').read_text())
    assert written['mIoU'] == found['Segmentation/mIoU']


def test_every_class_takes_its_own_best_threshold():
    one = sample([[[0.9, 0.5]], [[0.45, 0.1]]], [[[1, 0]], [[1, 0]]], classes=('road', 'walkway'))
    found = score([one], thresholds=(0.4, 0.6))
    # Road: 1/2 at 0.4, 1 at 0.6; walkway: 1 at 0.4, 0 at 0.6.
    assert found['Segmentation/road_IoU'] == found['Segmentation/walkway_IoU'] == pytest.approx(1)
    assert found['Segmentation/mIoU'] == pytest.approx(1)


def test_samples_are_counted_together_and_padding_once():
    full, empty = sample([[[0.9, 0.9, 0.9]]], [[[1, 1, 1]]], 0), sample([[[0.9, 0.1, 0.1]]], [[[0, 0, 0]]], 1)
    # 3 right and 1 wrong of 4, not the mean of 1 and 0.
    assert score([full, empty, full])['Segmentation/mIoU'] == pytest.approx(3 / 4)


def test_unknown_cells_do_not_count_and_a_class_without_a_cell_scores_zero():
    one = sample([[[0.9, 0.9, 0.1]], [[0.1, 0.1, 0.1]]], [[[1, 255, 255]], [[0, 0, 0]]], classes=('a', 'b'))
    found = score([one])
    assert found['Segmentation/a_IoU'] == pytest.approx(1) and found['Segmentation/b_IoU'] == 0
    assert found['Segmentation/mIoU'] == pytest.approx(0.5)


def test_counts_equal_a_loop_over_cells():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 5, 7)).astype(np.float32)
    labels = rng.choice(np.array([0, 1, 255], np.uint8), (3, 5, 7))
    thresholds = (0.35, 0.5)
    expected = np.zeros((3, 3, 2), int)
    for place in np.ndindex(3, 5, 7):
        for t, threshold in enumerate(thresholds):
            is_found, label = scores[place] >= np.float32(threshold), labels[place]
            if label != 255 and (is_found or label):
                expected[0 if is_found and label else 1 if is_found else 2, place[0], t] += 1
    assert (count_cells(scores, labels, thresholds) == expected).all()


def test_a_score_on_the_threshold_is_found():
    scores = torch.tensor([[[0.35]]]).numpy()
    assert count_cells(scores, np.ones((1, 1, 1), np.uint8), (0.35, ))[0].sum() == 1


@pytest.mark.parametrize('absent', ['gt_cells', 'pred_cells'])
def test_a_sample_without_labels_or_predictions_is_refused(absent):
    one = sample([[[0.9]]], [[[1]]])
    del one[absent]
    with pytest.raises(UserError, match=f'without {absent}'):
        score([one])


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_cells_that_are_not_finite_are_refused(value):
    with pytest.raises(UserError, match='sample t0: the model gives cells that are not finite'):
        score([sample([[[0.9, value]]], [[[1, 0]]])])


@pytest.mark.parametrize('thresholds', [(), (0.5, 1.0)])
def test_thresholds_lie_between_zero_and_one(thresholds):
    with pytest.raises(UserError, match='thresholds'):
        GeminiSegmentationMetric(thresholds=thresholds)


def test_samples_with_other_classes_are_refused():
    one = [[[0.9]], [[0.1]]], [[[1]], [[0]]]
    with pytest.raises(UserError, match='expected one list'):
        score([sample(*one, 0, ('a', 'b')), sample(*one, 1, ('b', 'a'))])
