"""Predicting: no gradient, no wait for the device in the middle, the same boxes however it is done."""
import copy
from pathlib import Path

import pytest
import torch
from host_waits import HostWaits
from mmdet3d.registry import MODELS
from mmengine.config import Config
from tiny_detector import SMALL_GRID, build_detector, make_batch

from geminifusion3d.geometry.bev_grid import BEVGrid

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def model():
    """Returns the demo's detector with running statistics of real maps, so that boxes come out."""
    model = build_detector().train()
    with torch.no_grad():
        for _ in range(3):
            model(**model.data_preprocessor(make_batch(), training=True), mode='loss')
    return model.eval()


def boxes_of(model):
    """Returns the predictions for the made-up batch."""
    data = model.data_preprocessor(make_batch(), training=False)
    return [result.pred_instances_3d for result in model(**data, mode='predict')]


def assert_same(found, expected, atol=0.0):
    """Compares predictions sample by sample."""
    for one, other in zip(found, expected, strict=True):
        assert len(one.scores_3d) == len(other.scores_3d) > 0
        assert torch.allclose(one.scores_3d, other.scores_3d, atol=atol, rtol=0)
        assert torch.allclose(one.bboxes_3d.tensor, other.bboxes_3d.tensor, atol=atol, rtol=0)
        assert torch.equal(one.labels_3d, other.labels_3d)


def test_boxes_are_those_of_the_plain_forward_and_may_be_changed(model):
    data = model.data_preprocessor(make_batch(), training=False)
    metas = [sample.metainfo for sample in data['data_samples']]
    # With gradients on, as nothing but predict switches them off.
    features = model.extract_feat(data['inputs'], metas)
    assert features[0].requires_grad
    plain = model.bbox_head.predict(features, data['data_samples'])
    found = boxes_of(model)
    assert_same(found, plain)
    found[0].bboxes_3d.tensor.add_(1.0)
    assert not found[0].scores_3d.requires_grad


def test_training_goes_on_after_a_prediction_with_kept_calibrations():
    model = build_detector()
    model.camera_branch.plan_cache.capacity = 4
    boxes_of(model.eval())
    assert len(model.camera_branch.plan_cache) > 0
    losses = model.train()(**model.data_preprocessor(make_batch(), training=True), mode='loss')
    sum(value for name, value in losses.items() if 'loss' in name).backward()


def test_kept_calibrations_change_no_box(model):
    caching = copy.deepcopy(model)
    caching.camera_branch.plan_cache.capacity = 4
    first = boxes_of(caching)
    assert_same(first, boxes_of(model))
    assert_same(boxes_of(caching), first)


def test_nothing_waits_for_the_device_between_voxels_and_boxes(model):
    data = model.data_preprocessor(make_batch(), training=False)
    model(**data, mode='predict')
    # From the second sample on: constants are on the device.
    with HostWaits() as waits:
        model(**data, mode='predict')
    # The LiDAR branch must know how many voxels there are. What a splat asks on a CPU it does not ask on a
    # GPU, where pairs are sorted and Triton sums them; the cameras' matrices go there from pinned memory.
    elsewhere = {place for place in waits.places if not place.startswith(('lidar_bev/', 'ops/voxel'))}
    assert elsewhere <= {'geometry/camera_rig:from_metas', 'ops/splat_plan:without_outside',
                         'ops/splat_plan:order_by_runs', 'heads/center_decode:suppress'}
    assert any(place.startswith('ops/voxel') for place in waits.places), 'the counter sees nothing'


def test_the_transfusion_head_waits_at_the_end_only():
    recipe = 'geminifusion3d_lidar-cam_voxel0075_second_secfpn_transfusion_8xb4-cyclic-6e_nus-3d.py'
    head = MODELS.build(dict(
        Config.fromfile(REPO / 'configs' / recipe).model.bbox_head, in_channels=8, num_queries=20,
        bev_grid=BEVGrid.from_config(SMALL_GRID))).eval()
    features, samples = [torch.randn(2, 8, 16, 24)], make_batch()['data_samples']
    with torch.no_grad():
        found = head.predict(features, samples)
        with HostWaits() as waits:
            head.predict(features, samples)
    assert len(found) == 2 and found[0].bboxes_3d.tensor.shape[1] == 9
    assert set(waits.places) <= {'heads/transfusion_head:<listcomp>', 'heads/transfusion_head:predict'}


@pytest.mark.parametrize('wait', [
    lambda x: x.sum().item(), lambda x: x.nonzero(), lambda x: x[x > 0], lambda x: x.unique(),
    lambda x: x.masked_select(x > 0), lambda x: bool((x > 0).all()), lambda x: x.new_tensor([1.0])])
def test_every_kind_of_wait_is_seen(wait):
    x = torch.tensor([1.0, -1.0])
    with HostWaits() as waits:
        x + x
        assert not waits.places
        wait(x)
    assert sum(waits.places.values()) == 1
