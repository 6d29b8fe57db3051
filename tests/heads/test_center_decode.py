"""Decoding all tasks and samples at once gives mmdet3d's boxes, bit by bit, with one copy to the CPU."""
import pytest
import torch
from mmdet3d.models.dense_heads import CenterHead
from tiny_detector import build_detector, make_sample

from geminifusion3d.heads.center_decode import CircleSuppression, RotatedSuppression, decode_tasks, suppress


@pytest.fixture(scope='module')
def head():
    """Returns the demo's head on the small grid of 16 x 24 cells."""
    return build_detector().bbox_head.eval()


def make_maps(head, batch=2, spread=3.0):
    """Returns random raw maps of each task; some boxes leave the range, many are close to each other."""
    generator = torch.Generator().manual_seed(3)
    channels = dict(reg=2, height=1, dim=3, rot=2, vel=2)
    return [[dict(heatmap=torch.randn(batch, count, 16, 24, generator=generator) * spread,
                  **{name: torch.randn(batch, n, 16, 24, generator=generator) * spread
                     for name, n in channels.items()})] for count in head.num_classes]


@pytest.mark.parametrize('suppression, test_cfg', [
    (CircleSuppression([1.0, 0.5, 2.0, 1.5]), dict(nms_type='circle', min_radius=[1.0, 0.25, 4.0, 2.25])),
    *(pytest.param(RotatedSuppression(iou), dict(nms_type='rotate', nms_thr=iou),
                   marks=pytest.mark.mmcv_operators) for iou in (0.2, 0.5))
], ids=['circle', 'rotated', 'wider'])
def test_boxes_scores_and_labels_are_those_of_mmdet3d(head, suppression, test_cfg, monkeypatch):
    maps, metas = make_maps(head), [make_sample().metainfo] * 2
    for task in maps:
        # Sizes of 0.4 to 7 m, so that many boxes overlap and many do not.
        task[0]['dim'] = task[0]['dim'].div(3).add(0.5).clamp(-1, 2)
    monkeypatch.setattr(head, 'suppression', suppression)
    monkeypatch.setattr(head, 'test_cfg', dict(
        post_max_size=head.boxes_after_nms, pre_max_size=1000, post_center_limit_range=head.limit_m.tolist(),
        score_threshold=head.bbox_coder.score_threshold, **test_cfg))
    ours = head.predict_by_feat(maps, metas)
    theirs = CenterHead.predict_by_feat(head, maps, metas)
    assert len(ours) == len(theirs) == 2
    for own, their in zip(ours, theirs):
        assert len(own.scores_3d) > 100
        assert torch.equal(own.scores_3d, their.scores_3d)
        assert torch.equal(own.labels_3d, their.labels_3d) and own.labels_3d.dtype == their.labels_3d.dtype
        assert torch.equal(own.bboxes_3d.tensor, their.bboxes_3d.tensor)


def test_a_box_longer_than_any_polygon_can_be_clipped_suppresses_nothing():
    rows = torch.zeros(3, 12)
    rows[:, 3:6], rows[:, 9], rows[:, 11] = 2.0, torch.tensor([0.9, 0.8, 0.7]), 1
    rows[0, 3] = float('inf')
    # The second and the third stand in one place.
    assert RotatedSuppression(0.2)(rows.numpy(), 0).tolist() == [0, 1]


def test_a_sample_without_boxes_is_empty(head):
    maps = make_maps(head)
    for task in maps:
        task[0]['heatmap'][1] = -50.0
    found = head.predict_by_feat(maps, [make_sample().metainfo] * 2)
    assert len(found[0].scores_3d) > 0
    assert found[1].bboxes_3d.tensor.shape == (0, 9) and len(found[1].labels_3d) == 0


def test_the_weaker_of_two_close_boxes_goes_and_a_far_one_stays():
    # Rows: x, y, z, l, w, h, yaw, vx, vy, score, label, kept. Distances 1 and 5 m from the first.
    rows = torch.tensor([[0.0, 0, 1, 4, 2, 2, 0, 0, 0, 0.5, 3, 1], [1.0, 0, 1, 4, 2, 2, 0, 0, 0, 0.9, 3, 1],
                         [5.0, 0, 1, 4, 2, 2, 0, 0, 0, 0.7, 4, 1], [9.0, 0, 1, 4, 2, 2, 0, 0, 0, 0.8, 4, 0]])
    sample, = suppress(rows[None, None], CircleSuppression([2.0]), boxes_per_task=5)
    assert sample.scores.tolist() == pytest.approx([0.9, 0.7])
    assert sample.labels.tolist() == [3, 4]
    assert sample.boxes[:, 2].tolist() == [0.0, 0.0]  # bottom: 1 - 2 / 2
    assert rows[0, 2] == 1, 'the input has changed'


def test_a_score_must_exceed_the_threshold_and_a_centre_stay_in_the_limits(head):
    maps = [task[0] for task in make_maps(head, batch=1, spread=0.0)]
    maps[1]['heatmap'][0, 2, 3, 7] = 4.0
    maps[1]['rot'].zero_()
    peaks = decode_tasks(maps, bev_grid=head.bev_grid, max_boxes=5, limit_m=head.limit_m, score_threshold=0.9)
    kept = peaks[peaks[..., 11] > 0]
    # Column 7 and row 3 of 1 m cells from -12 and -8; sizes exp(0); class 2 of task 1,
    # behind the one of task 0.
    assert kept.shape == (1, 12)
    assert kept[0, :9].tolist() == [-5.0, -5.0, 0, 1, 1, 1, 0, 0, 0]
    assert kept[0, 9].item() == pytest.approx(0.982, abs=1e-3) and kept[0, 10] == 3
    outside = decode_tasks(maps, bev_grid=head.bev_grid, max_boxes=5, score_threshold=0.9,
                           limit_m=torch.tensor([-4.0, -9, -9, 9, 9, 9]))
    assert outside[..., 11].sum() == 0
