"""The anchor head on the grid: what it is taught at a place it predicts at that place."""
import copy
from pathlib import Path

import pytest
import torch
from mmdet3d.models.dense_heads import Anchor3DHead
from mmdet3d.registry import MODELS
from mmengine.config import Config, ConfigDict
from tiny_detector import CONFIG, SMALL_GRID, build_detector, make_batch, make_sample

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.nuscenes_facts import CLASS_NAMES

GRID = BEVGrid.from_config(SMALL_GRID)  # 24 columns, 16 rows of 1 m
HEAD = Config.fromfile(Path(CONFIG).parents[1] / '_base_/models/anchor_head.py').anchor_head
CAR, BARRIER, PEDESTRIAN = (CLASS_NAMES.index(name) for name in ('car', 'barrier', 'pedestrian'))
NAN = float('nan')


def make_head(**replaced):
    """Returns the head of the recipes on the small grid, initialised."""
    torch.manual_seed(0)
    head = MODELS.build({**HEAD, 'bev_grid': GRID, 'in_channels': 8, **replaced})
    head.init_weights()
    return head


@pytest.fixture(scope='module')
def head():
    """Returns the head of the recipes on the small grid."""
    return make_head()


def maps_of(rows, per_cell):
    """Returns rows, one an anchor, as the map that the head would predict."""
    return rows.view(16, 24, per_cell * rows.shape[-1]).permute(2, 0, 1)[None]


def test_anchors_stand_in_the_middle_of_the_cells_with_their_undersides_at_their_heights(head):
    anchors = head.prior_generator.grid_anchors([(16, 24)], device='cpu')[0].view(16, 24, 7, 2, 9)
    assert torch.allclose(anchors[:, :, 3, 1, :2], GRID.centres_m(), atol=1e-5)
    for index, anchor in enumerate(HEAD.anchors):
        expected = torch.tensor([anchor.bottom_m, *anchor.size_lwh_m, 1.57, 0, 0])
        assert torch.allclose(anchors[3, 5, index, 1, 2:], expected)


def test_targets_decode_to_the_boxes_they_were_made_of(head):
    boxes = torch.tensor([[7.3, -4.6, -1.8, 4.5, 1.9, 1.6, 0.1, 3.0, -1.0],
                          [-10.45, 6.7, -1.0, 2.5, 0.5, 1.0, 1.6 - torch.pi, 0.0, 0.5]])
    sample = make_sample(boxes, [CAR, BARRIER])
    anchors = head.prior_generator.grid_anchors([(16, 24)], device='cpu')[0]
    ground_truth = copy.deepcopy(sample.gt_instances_3d)
    labels, _, codes, weights, directions, _, positives, _ = head.anchor_target_3d_single(
        anchors, ground_truth, None, sample.metainfo, num_classes=10, sampling=False)
    assert len(positives) >= 2 and set(labels[positives].tolist()) == {CAR, BARRIER}
    scores = torch.full((len(anchors), 10), -9.0)
    scores[positives, labels[positives]] = 5.0
    direction_scores = torch.nn.functional.one_hot(directions, 2).float()
    found = head.predict_by_feat([maps_of(scores, 14)], [maps_of(codes, 14)],
                                 [maps_of(direction_scores, 14)], [sample.metainfo])[0]
    order = found.labels_3d.argsort()
    assert found.labels_3d[order].tolist() == [CAR, BARRIER]
    error = found.bboxes_3d.tensor[order] - boxes
    error[:, 6] = torch.atan2(error[:, 6].sin(), error[:, 6].cos())
    assert error.abs().max() < 1e-4


def test_an_unknown_velocity_costs_nothing_and_the_ground_truth_stays_as_it_was(head):
    known, unknown = (torch.tensor([[2.2, 3.1, -1.8, 4.5, 1.9, 1.6, 0.1, *velocity]])
                      for velocity in ((0.0, 0.0), (NAN, NAN)))
    features = [torch.randn(1, 8, 16, 24)]
    samples = [make_sample(boxes, [CAR]) for boxes in (known, unknown)]
    losses = [head.loss(features, [sample]) for sample in samples]
    assert losses[1]['loss_bbox'].isfinite()
    head.zero_grad()
    losses[1]['loss_bbox'].backward()
    # Nine numbers for each of the 14 anchors of a cell.
    gradient = head.conv_reg.bias.grad.view(14, 9)
    assert gradient[:, :7].abs().max() > 0 and (gradient[:, 7:] == 0).all()
    kept = samples[1].gt_instances_3d.bboxes_3d
    assert torch.equal(kept.tensor[:, :7], unknown[:, :7]) and kept.tensor[:, 7:].isnan().all()


def test_samples_without_objects_train_alone_and_beside_others(head):
    none = torch.zeros(0, 9)
    for samples in ([make_sample(none, torch.zeros(0, dtype=torch.long))],
                    [make_sample(none, torch.zeros(0, dtype=torch.long)), make_sample()]):
        features = torch.randn(len(samples), 8, 16, 24, requires_grad=True)
        losses = head.loss([features], samples)
        sum(losses.values()).backward()
        assert all(loss.isfinite() for loss in losses.values()) and features.grad.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in head.parameters())


def test_an_object_without_a_place_or_a_size_is_passed_over(head):
    car = [5.5, 2.5, -1.8, 4.0, 2.0, 1.6, 0.3, 1.0, 0.0]
    nowhere, flat = [NAN, *car[1:]], [*car[:3], 0.0, *car[4:]]
    features = [torch.randn(1, 8, 16, 24)]
    clean, spoilt = (head.loss(features, [make_sample(torch.tensor(boxes), [CAR] * len(boxes))])
                     for boxes in ([car], [nowhere, car, flat]))
    assert clean['loss_bbox'] > 0 and clean == spoilt


@torch.no_grad()
def test_it_starts_at_a_score_of_a_hundredth(head):
    scores = head([torch.randn(1, 8, 16, 24)])[0][0].sigmoid()
    assert scores.mean().item() == pytest.approx(0.01, abs=0.003)


@pytest.mark.mmcv_operators
@torch.no_grad()
def test_boxes_are_those_of_mmdet3d():
    head = make_head(candidates=900, score_threshold=0.3, max_boxes=70)
    generator = torch.Generator().manual_seed(1)
    scores, codes, directions = ([torch.randn(1, 14 * width, 16, 24, generator=generator) * spread]
                                 for width, spread in ((10, 1.0), (9, 0.2), (2, 1.0)))
    metas = [make_sample().metainfo]
    ours, = head.predict_by_feat(scores, codes, directions, metas)
    priors = head.prior_generator.grid_anchors([(16, 24)], device='cpu')
    theirs = Anchor3DHead._predict_by_feat_single(
        head, [scores[0][0]], [codes[0][0]], [directions[0][0]], [priors[0].reshape(-1, 9)], metas[0],
        ConfigDict(head.test_cfg, use_rotate_nms=True))
    assert len(ours) == len(theirs) == 70
    assert torch.equal(ours.scores_3d, theirs.scores_3d) and torch.equal(ours.labels_3d, theirs.labels_3d)
    assert torch.allclose(ours.bboxes_3d.tensor, theirs.bboxes_3d.tensor, atol=1e-5)


@torch.no_grad()
def test_wild_codes_give_finite_boxes():
    head = make_head(candidates=30)
    scores, codes = torch.full((1, 140, 16, 24), 5.0), torch.randn(1, 126, 16, 24)
    codes[:, 3::9] = 200.0  # a length beyond every number
    codes[:, 3::9, 0, 0], scores[..., 0, 0] = 0.0, 6.0  # 14 anchors whose lengths are not
    found = head.predict_by_feat([scores], [codes], [torch.zeros(1, 28, 16, 24)],
                                 [make_sample().metainfo])[0]
    assert found.bboxes_3d.tensor.isfinite().all() and 0 < len(found) <= 140
    assert found.bboxes_3d.tensor.shape[1] == 9


def test_it_learns_to_find_two_objects():
    # On the middle of a cell: further out, no anchor of 1 m cells overlaps a pedestrian.
    truth = torch.tensor([[5.5, 2.5, -1.8, 4.0, 2.0, 1.6, 0.3, 1.0, 0.0],
                          [-6.5, -2.5, -1.8, 0.7, 0.7, 1.8, 0.0, NAN, NAN]])
    head, sample = make_head(candidates=50), make_sample(truth, [CAR, PEDESTRIAN])
    features = torch.randn(1, 8, 16, 24)
    optimiser = torch.optim.Adam([*head.parameters(), features.requires_grad_()], lr=0.03)
    for _ in range(120):
        optimiser.zero_grad()
        sum(head.loss([features], [sample]).values()).backward()
        optimiser.step()
    with torch.no_grad():
        found = head.predict([features], [sample])[0]
    best = found[found.scores_3d.argsort(descending=True)][:2]
    best = best[best.labels_3d.argsort()]
    assert best.labels_3d.tolist() == [CAR, PEDESTRIAN]
    assert (best.bboxes_3d.tensor[:, :6] - truth[:, :6]).abs().max() < 0.3


def test_it_trains_and_predicts_in_the_detector():
    model = build_detector().train()
    model.bbox_head = make_head(in_channels=96)
    losses = model(**model.data_preprocessor(make_batch(), training=True), mode='loss')
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_dir'}
    sum(losses.values()).backward()
    with torch.no_grad():
        results = model.eval()(**model.data_preprocessor(make_batch(), training=False), mode='predict')
    assert all(result.pred_instances_3d.bboxes_3d.tensor.shape[1] == 9 for result in results)


def test_each_number_of_a_box_code_costs_its_weight():
    features = [torch.randn(1, 8, 16, 24)]
    sample = make_sample(torch.tensor([[2.2, 3.1, -1.8, 4.5, 1.9, 1.6, 0.1, 2.0, -1.0]]), [CAR])

    def box_loss(weights):
        return make_head(code_weights=weights).loss(features, [sample])['loss_bbox'].item()

    alone = [box_loss([float(other == index) for other in range(9)]) for index in range(9)]
    assert min(alone) > 0
    weights = [0.3, 1.0, 2.0, 0.1, 0.7, 1.1, 0.0, 0.2, 0.5]
    assert box_loss(weights) == pytest.approx(sum(w * loss for w, loss in zip(weights, alone)), rel=1e-5)


def test_values_that_mmdet3d_reads_arrive_there():
    head = make_head(candidates=70, score_threshold=0.3, nms_iou=0.45, max_boxes=33, direction_offset_rad=0.5,
                     anchor_yaws_rad=[0.25, 1.0, 2.0],
                     assigner=dict(positive_iou=0.7, negative_iou=0.4, least_iou=0.2))
    assigner, test_cfg = head.bbox_assigner, head.test_cfg
    assert (assigner.pos_iou_thr, assigner.neg_iou_thr, assigner.min_pos_iou) == (0.7, 0.4, 0.2)
    assert (test_cfg.nms_pre, test_cfg.score_thr, test_cfg.nms_thr, test_cfg.max_num) == (70, 0.3, 0.45, 33)
    assert head.dir_offset == 0.5
    anchors = head.prior_generator.grid_anchors([(2, 3)], device='cpu')[0]
    assert anchors[:, 6].unique().tolist() == [0.25, 1, 2]


def test_own_classes_are_as_many_as_the_config_names():
    head = make_head(classes=['fork_lift', 'person'])
    scores, _, _ = head([torch.randn(1, 8, 16, 24)])
    assert scores[0].shape[1] == 7 * 2 * 2 and head.classes == ('fork_lift', 'person')
    sample = make_sample(torch.tensor([[2.2, 3.1, -1.8, 4.5, 1.9, 1.6, 0.1, 2.0, -1.0]]), [1])
    assert all(loss.isfinite() for loss in head.loss([torch.randn(1, 8, 16, 24)], [sample]).values())


@pytest.mark.parametrize('replaced, message', [
    (dict(max_boxes=501), '500 boxes'), (dict(code_weights=[1.0] * 7), 'needs 9 numbers, got 7'),
    (dict(loss_cls=dict(type='mmdet.GHMC')), 'got mmdet.GHMC')])
def test_what_does_not_fit_is_refused_when_built(replaced, message):
    with pytest.raises(ValueError, match=message):
        make_head(**replaced)


def test_a_map_of_another_size_and_two_maps_are_refused(head):
    with pytest.raises(ValueError, match=r'\(16, 24\), got \(24, 16\)'):
        head([torch.randn(1, 8, 24, 16)])
    with pytest.raises(ValueError, match='one map, got 2'):
        head([torch.randn(1, 8, 16, 24)] * 2)
