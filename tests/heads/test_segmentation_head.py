"""The losses are the formulas by hand, cells lie where their labels are, foreign labels are refused."""
import pytest
import torch
from mmdet3d.structures import Det3DDataSample
from tiny_detector import build_detector, make_batch
from torch.nn import functional as F

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.heads.segmentation_head import GeminiSegmentationHead, cell_costs

# 6 columns of 1 m and 4 rows; the cells of the labels are four to each within, 8 columns and 6 rows.
BEV = BEVGrid((-3.0, -2.0, -1.0, 3.0, 2.0, 1.0), 1.0)
CELLS = dict(range_m=[-2.0, -1.5, -1.0, 2.0, 1.5, 1.0], cell_m=0.5)
CLASSES = ['road', 'walkway', 'divider']


def make_head(**more):
    torch.manual_seed(0)
    settings = dict(bev_grid=BEV, cell_grid=CELLS, in_channels=2, classes=CLASSES)
    return GeminiSegmentationHead(**{**settings, **more})


def labelled(labels, grid=CELLS, classes=CLASSES):
    sample = Det3DDataSample(metainfo=dict(cell_grid=BEVGrid.from_config(grid), cell_classes=classes))
    sample.gt_cells = labels
    return sample


def random_labels(generator):
    return torch.randint(0, 2, (3, 6, 8), generator=generator, dtype=torch.uint8)


def test_the_focal_cost_of_one_cell_by_hand():
    # p = sigmoid(ln 3) = 0.75: 0.25^2 * -ln 0.75 where the class is there, 0.75^2 * -ln 0.25 where not.
    logits = torch.full((1, 1, 1, 3), 3.0).log()
    costs = cell_costs(logits, torch.tensor([[[[1, 0, 255]]]], dtype=torch.uint8), gamma=2.0)
    assert costs.flatten().tolist() == pytest.approx([0.0179801, 0.7797906, 0.0], abs=1e-6)


def test_cross_entropy_is_torchs_and_focal_is_lower():
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(2, 2, 4, 6, generator=generator)
    samples = [labelled(random_labels(generator)) for _ in range(2)]
    head = make_head(loss='xent')
    losses = head.loss([features], samples)
    truth = torch.stack([sample.gt_cells for sample in samples]).float()
    logits = head([features])
    assert list(losses) == ['road.loss_xent', 'walkway.loss_xent', 'divider.loss_xent']
    for index, loss in enumerate(losses.values()):
        assert loss.item() == pytest.approx(
            F.binary_cross_entropy_with_logits(logits[:, index], truth[:, index]).item(), abs=1e-6)
    focal = make_head(loss='focal', loss_weight=2.0).loss([features], samples)
    assert all(0 < value < 2 * other for value, other in zip(focal.values(), losses.values()))


def test_unknown_cells_cost_nothing_and_a_class_of_them_alone_gives_no_gradient():
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(2, 2, 4, 6, generator=generator)
    labels = random_labels(generator)
    labels[1] = 255
    labels[0, 3:] = 255
    head = make_head().eval()
    losses = head.loss([features], [labelled(labels), labelled(labels)])
    flipped = torch.where(labels == 255, labels, 1 - labels)
    again = head.loss([features], [labelled(labels), labelled(labels)])
    assert losses['walkway.loss_focal'] == 0 and losses == again
    assert head.loss([features], [labelled(flipped)] * 2)['road.loss_focal'] != losses['road.loss_focal']
    losses['walkway.loss_focal'].backward()
    assert all(p.grad.abs().sum() == 0 for p in head.parameters())


def test_cells_are_read_where_they_lie():
    head = make_head()
    features = torch.stack([BEV.centres_m()[..., 0], BEV.centres_m()[..., 1]])[None]
    expected = BEVGrid.from_config(CELLS).centres_m().permute(2, 0, 1)[None]
    assert torch.allclose(head.resample(features), expected, atol=1e-5)


def test_probabilities_come_with_their_grid_and_classes():
    sample = Det3DDataSample()
    cells, = make_head().eval().predict([torch.rand(1, 2, 4, 6)], [sample])
    assert cells.shape == (3, 6, 8) and 0 < cells.min() and cells.max() < 1
    assert sample.metainfo['cell_grid'] == BEVGrid.from_config(CELLS)
    assert sample.metainfo['cell_classes'] == tuple(CLASSES)


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_labels_of_another_grid_or_of_other_classes_are_refused(mode):
    labels = torch.zeros(3, 6, 8, dtype=torch.uint8)
    # Of the same shape, half a metre further.
    moved = dict(range_m=[-1.5, -1.5, -1.0, 2.5, 1.5, 1.0], cell_m=0.5)
    for sample in (labelled(labels, grid=moved), labelled(labels, classes=CLASSES[::-1])):
        with pytest.raises(ValueError, match='give both one cell_grid'):
            getattr(make_head(), mode)([torch.rand(1, 2, 4, 6)], [sample])


def test_a_sample_without_labels_and_a_transposed_map_are_refused():
    with pytest.raises(ValueError, match='without gt_cells'):
        make_head().loss([torch.rand(1, 2, 4, 6)], [Det3DDataSample()])
    with pytest.raises(ValueError, match=r'\(Y, X\) = \(4, 6\), got \(6, 4\)'):
        make_head()([torch.rand(1, 2, 6, 4)])


@pytest.mark.parametrize(('more', 'message'), [
    (dict(loss='dice'), "loss='dice'"), (dict(classes=[]), '0 classes'),
    (dict(cell_grid=dict(range_m=[-2.0, -2.5, -1.0, 2.0, 1.5, 1.0], cell_m=0.5)), 'make cell_grid smaller')])
def test_settings_that_cannot_work_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        make_head(**more)


SEG_HEAD = dict(type='GeminiSegmentationHead', in_channels=96, channels=8, classes=['road', 'grass'],
                cell_grid=dict(range_m=[-10.0, -8.0, -3.0, 10.0, 8.0, 3.0], cell_m=0.5))


def batch_with_cells():
    batch = make_batch()
    for sample in batch['data_samples']:
        sample.gt_cells = torch.ones(2, 32, 40, dtype=torch.uint8)
        sample.set_metainfo(dict(cell_grid=BEVGrid.from_config(SEG_HEAD['cell_grid']),
                                 cell_classes=['road', 'grass']))
    return batch


def test_a_detector_segments_alone_or_beside_its_boxes():
    alone, both = build_detector(bbox_head=None, seg_head=SEG_HEAD), build_detector(seg_head=SEG_HEAD)
    for model, has_boxes in ((alone, False), (both, True)):
        losses = model.train()(**model.data_preprocessor(batch_with_cells(), True), mode='loss')
        assert {'road.loss_focal', 'grass.loss_focal'} <= set(losses)
        assert ('task0.loss_heatmap' in losses) == has_boxes
        found = model.eval()(**model.data_preprocessor(make_batch(), False), mode='predict')
        assert [sample.pred_cells.shape for sample in found] == [(2, 32, 40)] * 2
        assert all(('pred_instances_3d' in sample) == has_boxes for sample in found)
        found[0].pred_cells += 1


def test_a_detector_without_a_head_is_refused():
    with pytest.raises(ValueError, match='a bbox_head, a seg_head or both'):
        build_detector(bbox_head=None)
