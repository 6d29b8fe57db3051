"""The pillar network: equal to the host's, which pads its pillars; empty clouds pass."""
import torch
from mmdet3d.models.voxel_encoders import PillarFeatureNet as HostPillarFeatureNet

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.pillar_feature_net import PillarFeatureNet
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


def load_into_host(net, channels):
    """Returns the host's network with the weights of ours."""
    host = HostPillarFeatureNet(in_channels=5, feat_channels=channels, voxel_size=PILLAR_M,
                                point_cloud_range=GRID.range_m, legacy=False).eval()
    names = {'0': 'linear', '1': 'norm'}
    state = {f'pfn_layers.{layer}.{names[part]}.{tensor}': value for key, value in net.state_dict().items()
             for _, layer, part, tensor in [key.split('.')]}
    host.load_state_dict(state)
    return host


@torch.no_grad()
def test_it_equals_the_hosts_network_on_pillars_without_padding():
    for channels in ((16,), (8, 16)):
        # The host halves the width of a hidden layer, and doubles it again by appending the maximum.
        net = make_net([width // 2 for width in channels[:-1]] + [channels[-1]], scale_features=False)
        host = load_into_host(net, channels)
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
