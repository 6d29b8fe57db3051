"""The camera branch: what a camera sees lands in the cells it looks at, for every sample alone."""
import pytest
import torch
from tiny_camera import build_camera_branch, make_rig
from tiny_detector import IMAGE_HW, make_batch

from geminifusion3d.camera_bev.camera_branch import DepthNet


@pytest.fixture(scope='module')
def branch():
    """Returns the demo's camera branch in evaluation mode."""
    return build_camera_branch().eval()


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(branch):
    torch.manual_seed(0)
    images = torch.randn(2, 6, 3, *IMAGE_HW)
    both = branch(images, make_rig(2)).bev
    assert both.shape == (2, 40, 16, 24)
    assert torch.allclose(both[1:], branch(images[1:], make_rig()).bev, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


@torch.no_grad()
def test_the_camera_that_faces_x_fills_the_cells_in_front_of_it(branch):
    torch.manual_seed(0)
    images = torch.randn(1, 6, 3, *IMAGE_HW)
    changed = images.clone()
    changed[:, 0] = torch.randn(3, *IMAGE_HW)
    moved = (branch(changed, make_rig()).bev - branch(images, make_rig()).bev).abs().sum((0, 1)) > 1e-6
    rows, columns = moved.nonzero(as_tuple=True)
    x_m, y_m = columns - 12 + 0.5, rows - 8 + 0.5
    # Half of the view is atan(32 / 30), 46.8 degrees; a cell reaches 0.71 m beyond its centre.
    assert len(x_m) > 20 and (x_m > 0).all()
    assert (y_m.abs() <= x_m * 32 / 30 + 1.5).all()
    assert y_m.min() < -2 and y_m.max() > 2


@torch.no_grad()
def test_images_that_the_network_would_pad_are_refused(branch):
    with pytest.raises(ValueError, match='do not divide'):
        branch(torch.randn(1, 6, 3, 36, 64), make_rig())


@torch.no_grad()
def test_a_missing_camera_reaches_no_cell(branch):
    torch.manual_seed(0)
    images = torch.randn(1, 6, 3, *IMAGE_HW)
    changed = images.clone()
    changed[:, 2] = torch.randn(3, *IMAGE_HW)
    rig = make_rig(is_present=[True, True, False, True, True, True])
    assert torch.equal(branch(images, rig).bev, branch(changed, rig).bev)
    assert not torch.equal(branch(images, make_rig()).bev, branch(changed, make_rig()).bev)


@torch.no_grad()
def test_the_average_of_a_constant_is_the_constant_and_the_sum_counts_pixels():
    found = []
    for average in (True, False):
        branch = build_camera_branch(average=average).eval()
        # Every context is 1, every one of 50 depth bins has a probability of 0.02.
        torch.nn.init.zeros_(branch.depth_net.predict.weight)
        branch.depth_net.predict.bias.copy_(torch.cat([torch.zeros(50), torch.ones(40)]))
        bev = branch(torch.randn(1, 6, 3, *IMAGE_HW), make_rig()).bev
        found.append(bev[bev > 0])
    torch.testing.assert_close(found[0], torch.ones_like(found[0]))
    pairs = found[1] / 0.02
    torch.testing.assert_close(pairs, pairs.round(), rtol=1e-4, atol=1e-4)
    assert pairs.max() > 5 and len(found[0]) == len(found[1]) > 40 * 50


@torch.no_grad()
def test_without_any_camera_the_map_is_zero(branch):
    assert not branch(torch.randn(1, 6, 3, *IMAGE_HW), make_rig(is_present=[False] * 6)).bev.any()


@torch.no_grad()
def test_a_neck_of_mmdet_with_several_levels_is_read_at_its_finest():
    branch = build_camera_branch(
        neck=dict(type='mmdet.FPN', in_channels=[48, 96], out_channels=48, num_outs=2)).eval()
    camera = branch(torch.randn(1, 6, 3, *IMAGE_HW), make_rig())
    assert camera.bev.shape == (1, 40, 16, 24) and camera.depth_probability.shape == (6, 50, 4, 8)


@torch.no_grad()
def test_cells_half_as_large_and_a_height_range_of_its_own_end_on_the_same_grid():
    branch = build_camera_branch(downsample=2, lift_z_m=(-1.0, 9.0)).eval()
    assert branch.splat_grid.range_m == (-12.0, -8.0, -1.0, 12.0, 8.0, 9.0)
    assert branch.splat_grid.shape_yx == (32, 48)
    assert branch(torch.randn(1, 6, 3, *IMAGE_HW), make_rig()).bev.shape == (1, 40, 16, 24)


@pytest.mark.parametrize('wrong, message', [
    (dict(downsample=3), 'must be 1 or 2, got 3'),
    (dict(convention='mit'), "got convention='mit'; expected one of centres"),
    (dict(depth_image='first'), "got depth_image='first'; expected one of nearest, last"),
    (dict(depth_range_m=[5.0, 1.0]), 'near < far')])
def test_wrong_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        build_camera_branch(**wrong)


def test_splatting_on_half_cells_has_the_layers_of_bevfusion_and_on_whole_ones_none():
    kernels = {name: value.shape for name, value in build_camera_branch(downsample=2).state_dict().items()
               if name.startswith('downsample') and value.ndim == 4}
    assert kernels == {f'downsample.{index}.weight': (40, 40, 3, 3) for index in (0, 3, 6)}
    assert not list(build_camera_branch(downsample=1).downsample.parameters())


def test_depth_sums_to_one_in_float32_and_context_has_its_channels():
    torch.manual_seed(0)
    net = DepthNet(in_channels=4, depth_bins=5, context_channels=3).eval()
    lifted = net(torch.randn(2, 4, 3, 6))
    assert lifted.depth_probability.shape == (2, 5, 3, 6) and lifted.context.shape == (2, 3, 3, 6)
    assert torch.allclose(lifted.depth_probability.sum(1), torch.ones(2, 3, 6))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert net(torch.randn(2, 4, 3, 6)).depth_probability.dtype == torch.float32


def test_the_depth_is_supervised_in_training_only():
    branch = build_camera_branch(depth_loss_weight=3.0)
    images, points = torch.randn(2, 6, 3, *IMAGE_HW), make_batch((300, 0))['inputs']['points']
    assert not branch.reads_lidar
    with torch.no_grad():
        assert branch.eval()(images, make_rig(2)).lidar_depth_m is None
    branch.train()
    camera = branch(images, make_rig(2), points)
    assert (camera.lidar_depth_m[0] > 0).any() and not camera.lidar_depth_m[1].any()
    losses = branch.loss(camera)
    assert list(losses) == ['loss_depth']
    losses['loss_depth'].backward()
    depth_rows, context_rows = branch.depth_net.predict.weight.grad.split([50, 40])
    assert depth_rows.any() and not context_rows.any()
    with pytest.raises(ValueError, match='got none; add GeminiLoadPoints'):
        branch(images, make_rig(2))


def test_the_depth_loss_has_the_weight_asked_for():
    images, points = torch.randn(1, 6, 3, *IMAGE_HW), make_batch((300,))['inputs']['points']
    once, thrice = (build_camera_branch(depth_loss_weight=weight).train() for weight in (1.0, 3.0))
    losses = [branch.loss(branch(images, make_rig(), points))['loss_depth'].item()
              for branch in (once, thrice)]
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-5) and losses[0] > 0


def test_a_missing_camera_learns_no_depth():
    branch = build_camera_branch(depth_loss_weight=3.0).train()
    points = make_batch((300,))['inputs']['points']
    camera = branch(torch.randn(1, 6, 3, *IMAGE_HW), make_rig(is_present=[False] * 5 + [True]), points)
    assert camera.lidar_depth_m[0].flatten(1).any(1).tolist() == [False] * 5 + [True]


def test_one_convolution_gives_depth_first_and_then_the_context():
    branch = build_camera_branch(type='GeminiLSSBranch').eval()
    features = torch.randn(2, branch.depthnet.in_channels, 3, 4)
    with torch.no_grad():
        found, expected = branch.predict_depth(features, None), branch.depthnet(features)
    bins = branch.depth_bins
    assert branch.depthnet.kernel_size == (1, 1) and bins < expected.shape[1]
    assert torch.allclose(found.depth_probability, expected[:, :bins].softmax(1))
    assert torch.equal(found.context, expected[:, bins:])
