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
    heatmaps, targets, indices, masks = head.get_targets([sample.gt_instances_3d])
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


def test_an_unknown_velocity_costs_nothing_and_has_no_gradient():
    loss = MODELS.build(dict(type='GeminiMaskedL1Loss', reduction='sum', loss_weight=1.0))
    pred = torch.tensor([[1.0, 2.0]], requires_grad=True)
    value = loss(pred, torch.tensor([[4.0, float('nan')]]), torch.tensor([[1.0, 0.0]]))
    value.backward()
    assert value.item() == 3.0 and pred.grad.tolist() == [[-1.0, 0.0]]


def test_a_map_of_another_size_is_refused_with_both(head):
    with pytest.raises(ValueError, match=r'\(16, 24\), got \(24, 16\)'):
        head([torch.randn(1, 96, 24, 16)])


def test_classes_out_of_order_and_too_many_boxes_are_refused():
    with pytest.raises(ValueError, match='list the classes in order'):
        MODELS.build(head_config(tasks=[['truck'], ['car']], nms_radius_m=[1, 1]))
    with pytest.raises(ValueError, match='500 boxes'):
        MODELS.build(head_config(boxes_after_nms=167))
    with pytest.raises(ValueError, match='one nms_radius_m a task: got 1 for 3'):
        MODELS.build(head_config(nms_radius_m=[1.0]))
