"""The branch that reads LiDAR depth: names of its weights, what the points change, what is refused."""
import pytest
import torch
from tiny_camera import build_camera_branch, make_rig
from tiny_detector import IMAGE_HW, make_batch

RIG = make_rig(2)


def build(**changed):
    """Returns the demo's branch with LiDAR depth; its finest level has stride 8."""
    return build_camera_branch(type='GeminiDepthLSSBranch', **changed)


@pytest.fixture(scope='module')
def branch():
    """Returns the branch in evaluation mode."""
    return build().eval()


def test_its_weights_have_the_names_and_shapes_of_the_original():
    # 256 image channels, 118 bins and 80 channels to lift are BEVFusion's; here 48, 50 and 40.
    shapes = {name: tuple(value.shape) for name, value in build(downsample=2).state_dict().items()
              if value.ndim == 4 and not name.startswith(('backbone', 'neck'))}
    assert shapes == {
        'dtransform.0.weight': (8, 1, 1, 1), 'dtransform.3.weight': (32, 8, 5, 5),
        'dtransform.6.weight': (64, 32, 5, 5), 'depthnet.0.weight': (48, 112, 3, 3),
        'depthnet.3.weight': (48, 48, 3, 3), 'depthnet.6.weight': (90, 48, 1, 1),
        'downsample.0.weight': (40, 40, 3, 3), 'downsample.3.weight': (40, 40, 3, 3),
        'downsample.6.weight': (40, 40, 3, 3)}


@torch.no_grad()
def test_points_change_the_map_of_their_sample_only(branch):
    torch.manual_seed(0)
    images = torch.randn(2, 6, 3, *IMAGE_HW)
    cloud, empty = make_batch((300, 0))['inputs']['points']
    blind, seeing = branch(images, RIG, [empty, empty]), branch(images, RIG, [cloud, empty])
    assert branch.reads_lidar and not blind.lidar_depth_m.any()
    assert not torch.allclose(blind.bev[0], seeing.bev[0], atol=1e-3)
    torch.testing.assert_close(blind.bev[1], seeing.bev[1])
    assert seeing.bev.shape == (2, 40, 16, 24)


def test_gradients_reach_every_weight_also_from_the_depth_loss():
    branch = build(depth_loss_weight=3.0).train()
    points = make_batch((300, 200))['inputs']['points']
    camera = branch(torch.randn(2, 6, 3, *IMAGE_HW), RIG, points)
    losses = branch.loss(camera)
    (camera.bev.square().sum() + losses['loss_depth']).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in branch.parameters())
    assert branch.dtransform[0].weight.grad.any()


@torch.no_grad()
def test_the_depth_distribution_is_float32_under_autocast(branch):
    points = make_batch((300, 200))['inputs']['points']
    with torch.autocast('cpu', dtype=torch.bfloat16):
        camera = branch(torch.randn(2, 6, 3, *IMAGE_HW), RIG, points)
    assert camera.depth_probability.dtype == camera.lidar_depth_m.dtype == torch.float32
    torch.testing.assert_close(camera.depth_probability.sum(1), torch.ones(12, 4, 8))


def test_features_of_another_stride_are_refused(branch):
    with pytest.raises(ValueError, match=r'stride 8, here \(4, 8\), got \(2, 4\)'):
        branch.predict_depth(torch.randn(6, 48, 2, 4), torch.zeros(1, 6, *IMAGE_HW))


def test_points_must_be_loaded(branch):
    with pytest.raises(ValueError, match='got none; add GeminiLoadPoints'):
        branch(torch.randn(2, 6, 3, *IMAGE_HW), RIG)
