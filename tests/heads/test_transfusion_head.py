"""The TransFusion head as a whole: it learns, it knows x from y, and nothing stops it or leaks out."""
import pytest
import torch
from tiny_detector import build_detector, make_batch, make_sample
from tiny_transfusion import CHANNELS, GRID, build_head, make_map, three_objects

from geminifusion3d.geometry.bev_grid import BEVGrid


def test_it_learns_a_sample_by_heart_and_finds_its_boxes():
    head = build_head(hidden_channels=32, branch_channels=32, num_queries=40)
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=200)
    bev, sample = make_map(), three_objects()
    for _ in range(200):
        losses = head.loss([bev], [sample])
        total = sum(value for name, value in losses.items() if 'loss' in name)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        schedule.step()
    assert total.item() < 0.05 and losses['matched_iou'].item() > 0.9
    with torch.no_grad():
        found = head.eval().predict([bev], [sample])[0]
    found, truth = found[found.scores_3d > 0.5], sample.gt_instances_3d
    assert sorted(found.labels_3d.tolist()) == sorted(truth.labels_3d.tolist())
    order = [found.labels_3d.tolist().index(label) for label in truth.labels_3d.tolist()]
    boxes, expected = found.bboxes_3d.tensor[order], truth.bboxes_3d.tensor
    assert (boxes[:, :3] - expected[:, :3]).abs().max() < 0.2
    assert (boxes[:, 3:6] / expected[:, 3:6] - 1).abs().max() < 0.1
    assert (boxes[:, 6] - expected[:, 6]).cos().min() > 0.99
    assert (boxes[:, 7:] - expected[:, 7:]).nan_to_num().abs().max() < 0.3


def swap_axes(head):
    """Returns the head's state for a map whose x and y are exchanged."""
    state = {name: value.clone() for name, value in head.state_dict().items()}
    for name, value in state.items():
        if value.dim() == 4:
            state[name] = value.transpose(2, 3)
        elif name.endswith('_position.0.weight'):
            state[name] = value.flip(1)
        elif name.startswith('prediction.center.1.'):
            state[name] = value.flip(0)
    return state


def test_with_x_and_y_exchanged_everywhere_it_says_the_same():
    head, bev = build_head().eval(), make_map(batch=2)
    swapped_grid = BEVGrid(range_m=tuple(GRID.range_m[i] for i in (1, 0, 2, 4, 3, 5)), cell_m=GRID.cell_m)
    swapped = build_head(grid=swapped_grid).eval()
    swapped.load_state_dict(swap_axes(head))
    with torch.no_grad():
        output, mirrored = head([bev]), swapped([bev.transpose(2, 3).contiguous()])
    assert torch.equal(output.query_classes, mirrored.query_classes)
    assert torch.allclose(output.heatmap_logits, mirrored.heatmap_logits.transpose(2, 3), atol=1e-5)
    assert torch.allclose(output.codes[..., :2].flip(2), mirrored.codes[..., :2], atol=1e-4)
    assert torch.allclose(output.codes[..., 2:], mirrored.codes[..., 2:], atol=1e-4)


def test_a_score_is_the_peak_times_what_the_decoder_says_of_the_same_class():
    head, bev = build_head(score_threshold=0.0, centre_margin_m=1e6).eval(), make_map(batch=2)
    with torch.no_grad():
        output, found = head([bev]), head.predict([bev], [make_sample(), make_sample()])
    for index, boxes in enumerate(found):
        own = output.class_logits[index].sigmoid()[torch.arange(12), output.query_classes[index]]
        assert torch.allclose(boxes.scores_3d, own * output.query_scores[index])
        assert torch.equal(boxes.labels_3d, output.query_classes[index])
        assert boxes.bboxes_3d.tensor.shape == (12, 9)


def test_weak_boxes_and_boxes_far_outside_are_dropped():
    head, bev, sample = build_head().eval(), make_map(), make_sample()
    with torch.no_grad():
        scores = head.predict([bev], [sample])[0].scores_3d
        head.score_threshold = scores.median().item()
        assert len(head.predict([bev], [sample])[0]) == int((scores >= scores.median()).sum())
        head.score_threshold, head.prediction.center[-1].bias.data[0] = 0.0, 100.0
        assert len(head.predict([bev], [sample])[0]) == 0


def test_samples_without_objects_train_the_background():
    head, bev = build_head(), make_map(batch=2)
    empty = make_sample(torch.zeros(0, 9), [])
    losses = head.loss([bev], [empty, empty])
    assert losses['loss_bbox'] == 0 and losses['matched_iou'] == 0
    sum(losses.values()).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all()
               for parameter in head.parameters())
    both = head.loss([bev], [empty, three_objects()])
    assert both['loss_bbox'] > 0 and all(value.isfinite() for value in both.values())


def test_features_that_are_not_finite_end_in_a_loss_that_says_so_and_not_in_an_exception():
    losses = build_head().loss([make_map() * float('nan')], [three_objects()])
    assert losses['loss_cls'].isnan()


def test_nothing_is_changed_by_a_prediction_and_calls_do_not_depend_on_each_other():
    head, bev, sample = build_head().eval(), make_map(), three_objects()
    given, state = bev.clone(), {name: value.clone() for name, value in head.state_dict().items()}
    attributes = dict(vars(head))
    with torch.no_grad():
        first = head.predict([bev], [sample])[0]
        head.predict([make_map(batch=2, seed=1)], [sample, sample])
        again = head.predict([bev], [sample])[0]
    assert torch.equal(first.bboxes_3d.tensor, again.bboxes_3d.tensor)
    assert torch.equal(bev, given) and vars(head) == attributes
    assert all(torch.equal(value, state[name]) for name, value in head.state_dict().items())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_under_autocast_everything_after_the_shared_convolution_is_float32(dtype):
    head, bev, samples = build_head().eval(), make_map(batch=2), [three_objects(), make_sample()]
    seen = {}
    for name in ('query_init', 'decoder', 'loss_heatmap', 'loss_bbox', 'loss_cls'):
        getattr(head, name).register_forward_pre_hook(
            lambda _, given, name=name: seen.update({name: given[0].dtype}))
    head.shared_conv.register_forward_hook(lambda _, __, output: seen.update(shared=output.dtype))
    with torch.autocast('cpu', dtype=dtype):
        output, losses = head([bev]), head.loss([bev], samples)
        boxes = head.predict([bev], samples)[0].bboxes_3d.tensor
    assert seen.pop('shared') == dtype and set(seen.values()) == {torch.float32} and len(seen) == 5
    assert {value.dtype for value in (output.codes, output.heatmap_logits, output.class_logits,
                                      output.query_scores, boxes)} == {torch.float32}
    expected = head.loss([bev], samples)['loss_heatmap'].item()
    assert losses['loss_heatmap'].item() == pytest.approx(expected, rel=0.02)


def test_it_works_in_the_detector():
    detector = build_detector()
    detector.bbox_head = build_head(in_channels=96)
    batch = detector.data_preprocessor(make_batch(), training=True)
    losses = detector.loss(batch['inputs'], batch['data_samples'])
    assert {'loss_heatmap', 'loss_cls', 'loss_bbox'} <= set(losses)
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert all(parameter.grad is not None for parameter in detector.bbox_head.parameters())
    detector.eval()
    with torch.no_grad():
        found = detector.predict(batch['inputs'], batch['data_samples'])
    assert all(sample.pred_instances_3d.bboxes_3d.tensor.shape[1] == 9 for sample in found)


def test_each_number_of_a_box_code_costs_its_weight():
    bev = make_map()
    sample = make_sample(torch.tensor([[7.3, -4.6, -1.8, 4.0, 2.0, 1.6, 0.5, 3.0, -1.0]]), [0])

    def box_loss(weights):
        return build_head(code_weights=weights).eval().loss([bev], [sample])['loss_bbox'].item()

    alone = [box_loss([float(other == index) for other in range(10)]) for index in range(10)]
    assert min(alone) > 0
    weights = [0.3, 1.0, 2.0, 0.1, 0.7, 1.1, 0.0, 1.0, 0.2, 0.5]
    assert box_loss(weights) == pytest.approx(sum(w * loss for w, loss in zip(weights, alone)), rel=1e-5)


def test_own_classes_are_learned_and_named_by_their_order():
    head = build_head(classes=['fork_lift', 'person', 'pallet'], unpooled_classes=['person'])
    assert head.classes == ('fork_lift', 'person', 'pallet')
    output = head([make_map()])
    assert output.heatmap_logits.shape[1] == output.class_logits.shape[2] == 3
    assert head.query_init.is_pooled.tolist() == [True, False, True]
    ground_truth = make_sample(torch.tensor([[7.3, -4.6, -1.8, 4.0, 2.0, 1.6, 0.5, 3.0, -1.0]]), [2])
    losses = head.loss([make_map()], [ground_truth])
    assert all(loss.isfinite() for loss in losses.values())
    message = r"among \['fork_lift', 'person'\], got \['pedestrian', 'traffic_cone'\]"
    with pytest.raises(ValueError, match=message):
        build_head(classes=['fork_lift', 'person'])


def test_bottom_centres_stay_in_the_range_that_is_asked_for():
    bev, sample = make_map(), make_sample()
    with torch.no_grad():
        everywhere = build_head(centre_margin_m=1e6).eval().predict([bev], [sample])[0].bboxes_3d.tensor
        range_m = [-4.0, -20, -20, 20, 20, 20]
        right = build_head(centre_range_m=range_m).eval().predict([bev], [sample])[0].bboxes_3d.tensor
    expected = everywhere[(everywhere[:, 0] >= -4) & (everywhere[:, :3].abs() <= 20).all(1)]
    assert torch.equal(right, expected) and 0 < len(expected) < len(everywhere)


@pytest.mark.parametrize('replaced, message', [
    (dict(num_queries=501), 'allows 500 boxes per sample, got num_queries=501'),
    (dict(code_weights=[1.0] * 8), 'needs 10 numbers, got 8'),
    (dict(assigner=dict(class_weight=1.0)), 'centre_weight'),
    (dict(nms_type='circle'), 'nms_type')])
def test_configs_that_cannot_work_are_refused(replaced, message):
    with pytest.raises((ValueError, TypeError), match=message):
        build_head(**replaced)


def test_maps_off_the_grid_and_several_maps_are_refused():
    head = build_head()
    with pytest.raises(ValueError, match=r'\(16, 24\), got \(24, 16\)'):
        head([torch.zeros(1, CHANNELS, 24, 16)])
    with pytest.raises(ValueError, match='reads one map, got 2'):
        head([make_map(), make_map()])
