"""Voxel encoders: means by hand; a pillar network equal to mmdet3d's; a norm that survives one row."""
import torch
from mmdet3d.models.voxel_encoders import PillarFeatureNet as PaddedPillarFeatureNet
from torch import nn

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.voxel_encoders import PillarFeatureNet, VoxelFeatureMean, VoxelNorm
from geminifusion3d.ops.voxel_groups import group_points

GRID = BEVGrid(range_m=(-6.0, -4.0, -3.0, 6.0, 4.0, 3.0), cell_m=1.0)
PILLAR_M, COUNT = (0.5, 0.5, 6.0), (24, 16, 1)


def group(clouds):
    """Returns the points of the clouds in their pillars."""
    return group_points(clouds, GRID.range_m, PILLAR_M, COUNT)


def make_net(channels, **options):
    """Returns a network in evaluation mode whose norms do something."""
    torch.manual_seed(0)
    net = PillarFeatureNet(in_channels=5, channels=channels, bev_grid=GRID, **options)
    for layer in net.pfn_layers:
        torch.nn.init.uniform_(layer[1].running_mean)
        torch.nn.init.uniform_(layer[1].bias)
    return net.eval()


def load_into_mmdet3d(net, channels):
    """Returns mmdet3d's network, which pads its pillars, with the weights of ours."""
    padded = PaddedPillarFeatureNet(in_channels=5, feat_channels=channels, voxel_size=PILLAR_M,
                                    point_cloud_range=GRID.range_m, legacy=False).eval()
    names = {'0': 'linear', '1': 'norm'}
    state = {f'pfn_layers.{layer}.{names[part]}.{tensor}': value for key, value in net.state_dict().items()
             for _, layer, part, tensor in [key.split('.')]}
    padded.load_state_dict(state)
    return padded


@torch.no_grad()
def test_it_equals_mmdet3ds_network_on_pillars_without_padding():
    for channels in ((16,), (8, 16)):
        # mmdet3d halves the width of a hidden layer, and doubles it again by appending the maximum.
        net = make_net([width // 2 for width in channels[:-1]] + [channels[-1]], scale_features=False)
        host = load_into_mmdet3d(net, channels)
        cloud = torch.rand(150, 5) * torch.tensor([5.0, 3.0, 2.0, 255.0, 0.5])
        groups = group([cloud])
        found = net(groups)
        for row, place in enumerate(groups.coordinates_bzyx):
            points = groups.points[groups.voxel_of_point == row]
            expected = host(points[None].clone(), torch.tensor([len(points)]), place[None])
            assert torch.allclose(found[row], expected.flatten(), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_scaling_changes_the_point_features_and_not_the_offsets():
    net = make_net([4], scale_features=True)
    groups = group([torch.tensor([[3.3, 2.1, 1.5, 51.0, 0.1], [3.1, 2.1, 1.5, 51.0, 0.1]])])
    # In cell x 3.0..3.5, y 2.0..2.5: the mean is (3.2, 2.1, 1.5), the middle (3.25, 2.25, 0).
    expected = torch.tensor([[3.3 / 6, 2.1 / 4, 0.5, 0.2, 0.1, 0.1, 0, 0, 0.05, -0.15, 1.5],
                             [3.1 / 6, 2.1 / 4, 0.5, 0.2, 0.1, -0.1, 0, 0, -0.15, -0.15, 1.5]])
    by_hand = net.pfn_layers[0](expected).amax(0)
    assert torch.allclose(net(groups)[0], by_hand, atol=1e-5)


def test_gradients_stay_finite_with_no_point_and_with_one():
    for clouds in ([torch.zeros(0, 5)] * 2, [torch.zeros(0, 5), torch.ones(1, 5)]):
        net = make_net([4, 8], scale_features=True).train()
        pillars = net(group(clouds))
        pillars.sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())
        assert all(torch.isfinite(buffer).all() for buffer in net.buffers())


def test_the_momentum_of_the_running_statistics_is_the_one_asked_for():
    net = PillarFeatureNet(in_channels=5, channels=[4, 8], bev_grid=GRID, scale_features=True,
                           norm_momentum=0.3)
    assert {norm.momentum for norm in net.modules() if isinstance(norm, VoxelNorm)} == {0.3}


# Centre (1, -2, 0), half extents (6, 4, 2).
OFF_CENTRE_GRID = BEVGrid(range_m=(-5.0, -6.0, -2.0, 7.0, 2.0, 2.0), cell_m=1.0)
TWO_POINTS = torch.tensor([[4.0, 0.5, 1.0, 255.0, 0.1], [4.5, 0.5, 1.5, 0.0, 0.3]])


def encode_mean(scale_features):
    """Returns the features of the one voxel that holds both points."""
    groups = group_points([TWO_POINTS], OFF_CENTRE_GRID.range_m, (1.0, 1.0, 4.0), (12, 8, 1))
    return VoxelFeatureMean(bev_grid=OFF_CENTRE_GRID, scale_features=scale_features)(groups)


def test_raw_features_are_metres_and_raw_intensity():
    assert torch.allclose(encode_mean(False), torch.tensor([[4.25, 0.5, 1.25, 127.5, 0.2]]))


def test_scaled_features_lie_within_one_over_the_range():
    # (4.25 - 1) / 6, (0.5 + 2) / 4, 1.25 / 2, 127.5 / 255; time stays.
    assert torch.allclose(encode_mean(True), torch.tensor([[3.25 / 6, 0.625, 0.625, 0.5, 0.2]]))


def make_norms():
    """Returns our layer and torch's with the same numbers in them."""
    ours, theirs = VoxelNorm(3, eps=1e-3, momentum=0.5), nn.BatchNorm1d(3, eps=1e-3, momentum=0.5)
    nn.init.uniform_(ours.weight)
    nn.init.uniform_(ours.bias)
    ours.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_norm_of_two_rows_are_torchs_own_in_training_and_evaluation():
    ours, theirs = make_norms()
    rows = torch.randn(2, 3)
    assert torch.equal(ours(rows), theirs(rows))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(rows), theirs.eval()(rows))


def test_norm_of_one_row_in_training_is_normalised_as_in_evaluation_and_not_remembered():
    ours, theirs = make_norms()
    row = torch.randn(1, 3)
    assert torch.equal(ours(row), theirs.eval()(row))
    assert torch.equal(ours.running_mean, theirs.running_mean)


def test_norm_of_no_row_passes_with_gradients_of_zero():
    ours, _ = make_norms()
    ours(torch.zeros(0, 3)).sum().backward()
    assert (ours.weight.grad == 0).all() and torch.isfinite(ours.running_var).all()
