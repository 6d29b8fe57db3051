"""CenterHead on the grid: what it is taught at a place it predicts at that place."""
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from tiny_detector import CONFIG, SMALL_GRID, build_detector, make_sample

from geminifusion3d.geometry.bev_grid import BEVGrid


@pytest.fixture(scope='module')
def head():
    """Returns the demo's head on the small grid."""
    head = build_detector().bbox_head
    head.init_weights()
    return head


def head_config(**replaced):
    """Returns the demo's head config with some values replaced."""
    return {**Config.fromfile(CONFIG).model.bbox_head,
            'bev_grid': BEVGrid.from_config(SMALL_GRID), **replaced}


def test_targets_decode_to_the_boxes_they_were_made_of(head):
    boxes = torch.tensor([[7.3, -4.6, -1.8, 4.0, 2.0, 1.6, 0.5, 3.0, -1.0],
                          [-10.2, 6.7, -1.0, 0.8, 0.6, 1.7, -2.0, 0.0, 0.5]])
    sample = make_sample(boxes, [0, 8])
    heatmaps, targets, indices, masks, _ = head.get_targets([sample.gt_instances_3d])
    maps = []
    for heatmap, target, index, mask in zip(heatmaps, targets, indices, masks):
        dense = torch.zeros(1, 10, 16 * 24)
        dense[0][:, index[0][mask[0].bool()]] = target[0][mask[0].bool()].T
        dense = dense.view(1, 10, 16, 24)
        logit = torch.where(heatmap == 1, 5.0, -9.0)
        maps.append([dict(heatmap=logit, reg=dense[:, :2], height=dense[:, 2:3], dim=dense[:, 3:6],
                          rot=dense[:, 6:8], vel=dense[:, 8:])])
    found = head.predict_by_feat(maps, [sample.metainfo])[0]
    assert found.labels_3d.tolist() == [0, 8]
    assert torch.allclose(found.bboxes_3d.tensor, boxes, atol=1e-5)


def test_it_starts_at_the_score_its_bias_asks_for(head):
    with torch.no_grad():
        heatmap = head([torch.randn(1, 96, 16, 24)])[0][0]['heatmap'].sigmoid()
    assert heatmap.mean().item() == pytest.approx(0.1, abs=0.03)  # sigmoid(-2.19) = 0.1


def test_a_map_of_another_size_is_refused_with_both(head):
    with pytest.raises(ValueError, match=r'\(16, 24\), got \(24, 16\)'):
        head([torch.randn(1, 96, 24, 16)])


def test_classes_out_of_order_and_too_many_boxes_are_refused():
    message = r"in order, expected \['car', .*'traffic_cone'\], got \['truck', 'car'\]"
    with pytest.raises(ValueError, match=message):
        MODELS.build(head_config(tasks=[['truck'], ['car']], nms_radius_m=[1, 1]))
    with pytest.raises(ValueError, match='500 boxes'):
        MODELS.build(head_config(boxes_after_nms=167))
    with pytest.raises(ValueError, match='needs 10 numbers, got 8'):
        MODELS.build(head_config(code_weights=[1.0] * 8))
    with pytest.raises(ValueError, match='one radius per task: got 1 for 4'):
        MODELS.build(head_config(nms_radius_m=[1.0]))
    with pytest.raises(ValueError, match='either nms_radius_m or nms_iou.*nms_iou=0.2'):
        MODELS.build(head_config(nms_iou=0.2))
    with pytest.raises(ValueError, match='got nms_radius_m=None and nms_iou=None'):
        MODELS.build(head_config(nms_radius_m=None))


def test_the_published_head_groups_the_classes_as_centerpoint_does():
    head = Config.fromfile(CONFIG.parents[1] / '_base_/models/center_head.py').center_head
    assert head.tasks == [['car'], ['truck', 'construction_vehicle'], ['bus', 'trailer'], ['barrier'],
                          ['motorcycle', 'bicycle'], ['pedestrian', 'traffic_cone']]
    squares_m2 = [radius_m ** 2 for radius_m in head.nms_radius_m]
    assert squares_m2 == pytest.approx([4, 12, 10, 1, 0.85, 0.175], abs=2e-3)


def test_own_classes_are_learned_and_named_by_their_order():
    head = MODELS.build(head_config(classes=['fork_lift', 'person', 'pallet'], nms_radius_m=[1.0, 2.0],
                                    tasks=[['fork_lift'], ['person', 'pallet']]))
    assert head.classes == ('fork_lift', 'person', 'pallet')
    maps = head([torch.randn(1, 96, 16, 24)])
    assert [task[0]['heatmap'].shape[1] for task in maps] == [1, 2]
    sample = make_sample(torch.tensor([[5.0, 2.0, -1.8, 4.0, 2.0, 1.6, 0.3, 1.0, 0.0]]), [2])
    heatmaps = head.get_targets([sample.gt_instances_3d]).heatmaps
    assert not heatmaps[0].any() and not heatmaps[1][0, 0].any() and heatmaps[1][0, 1, 10, 17] == 1
    assert all(loss.isfinite() for loss in head.loss_by_feat(maps, [sample.gt_instances_3d]).values())


def maps_with_two_cars(distance_m):
    """Returns raw maps of the demo's head with two cars at a distance along x, 0.9 and 0.8 sure."""
    maps = [[dict(heatmap=torch.full((1, count, 16, 24), -20.0), **{
        name: torch.zeros(1, channels, 16, 24) for name, channels in
        dict(reg=2, height=1, dim=3, rot=2, vel=2).items()})] for count in (1, 4, 3, 2)]
    for column, score in ((4, 0.9), (5, 0.8)):
        maps[0][0]['heatmap'][0, 0, 3, column] = torch.tensor(score).logit()
    maps[0][0]['reg'][0, 0, 3, 5] = distance_m - 1
    return maps


@pytest.mark.parametrize('radius_m, distance_m, remaining', [(3.0, 2.9, 1), (3.0, 3.1, 2), (0.5, 0.4, 1),
                                                             (0.5, 0.6, 2)])
def test_the_radius_of_suppression_is_in_metres(radius_m, distance_m, remaining):
    head = MODELS.build(head_config(nms_radius_m=[radius_m, 9.0, 9.0, 9.0]))
    found = head.predict_by_feat(maps_with_two_cars(distance_m), [make_sample().metainfo])[0]
    assert len(found.scores_3d) == remaining


def test_overlap_instead_of_distance_suppresses_where_it_is_asked_for():
    # Boxes of 1 m by 1 m, 0.6 m apart: 0.4 / 1.6 = 0.25 of their union is common.
    for iou, remaining in ((0.24, 1), (0.26, 2)):
        head = MODELS.build(head_config(nms_radius_m=None, nms_iou=iou))
        assert len(head.predict_by_feat(maps_with_two_cars(0.6), [make_sample().metainfo])[0]) == remaining


def test_centres_stay_in_the_range_that_is_asked_for():
    # The cars stand at x = -8 and -5.1 m, y = -5 m, z = 0.
    maps, metas = maps_with_two_cars(2.9), [make_sample().metainfo]
    for range_m, remaining in ((None, 2), ([-7.0, -9, -9, 9, 9, 9], 1), ([-9.0, -9, 0.1, 9, 9, 9], 0)):
        head = MODELS.build(head_config(centre_range_m=range_m, nms_radius_m=[0.1] * 4))
        assert len(head.predict_by_feat(maps, metas)[0]) == remaining


def test_each_number_of_a_box_code_costs_its_weight():
    sample = make_sample(torch.tensor([[5.3, 2.2, -1.8, 4.0, 2.0, 1.6, 0.3, 1.5, -0.7]]), [0])
    maps = MODELS.build(head_config())([torch.randn(1, 96, 16, 24)])

    def box_loss(weights):
        head = MODELS.build(head_config(code_weights=weights))
        return head.loss_by_feat(maps, [sample.gt_instances_3d])['task0.loss_bbox'].item()

    alone = [box_loss([float(other == index) for other in range(10)]) for index in range(10)]
    assert min(alone) > 0
    weights = [0.3, 1.0, 2.0, 0.1, 0.7, 1.1, 0.0, 1.0, 0.2, 0.5]
    assert box_loss(weights) == pytest.approx(sum(w * loss for w, loss in zip(weights, alone)), rel=1e-5)


def test_values_that_mmdet3d_reads_arrive_there():
    head = MODELS.build(head_config(
        max_boxes=70, score_threshold=0.3, boxes_after_nms=5, share_conv_channel=24, max_objects=60,
        gaussian_overlap=0.4, min_radius_cells=3))
    assert head.bbox_coder.max_num == 70 and head.bbox_coder.score_threshold == 0.3
    assert head.shared_conv.conv.out_channels == 24 and head.boxes_after_nms == 5
    maker = head.target_maker
    assert (maker.max_objects, maker.gaussian_overlap, maker.min_radius_cells) == (60, 0.4, 3)
    assert MODELS.build(head_config(max_boxes=500)).bbox_coder.max_num == 16 * 24
