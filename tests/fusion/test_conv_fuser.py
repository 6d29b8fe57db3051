"""BEVFusion's fuser against the sum of two convolutions."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.fusion.two_maps import GeminiConvFuser


def test_it_is_one_convolution_of_camera_then_lidar():
    torch.manual_seed(0)
    fuser = GeminiConvFuser(in_channels=[3, 2], out_channels=4).eval()
    camera, lidar = torch.randn(2, 3, 4, 6), torch.randn(2, 2, 4, 6)
    weight = fuser.state_dict()['0.weight']
    expected = F.conv2d(camera, weight[:, :3], padding=1) + F.conv2d(lidar, weight[:, 3:], padding=1)
    # Fresh running statistics: mean 0, variance 1.
    expected = (expected / (1 + 1e-5) ** 0.5).relu()
    assert torch.allclose(fuser(camera, lidar), expected, atol=1e-6)
    assert fuser.out_channels == 4


def test_its_weights_have_the_names_of_the_original():
    assert [name for name, _ in GeminiConvFuser(in_channels=[3, 2], out_channels=4).named_parameters()] == [
        '0.weight', '1.weight', '1.bias']


def test_other_than_two_maps_are_refused():
    with pytest.raises(ValueError, match=r'camera map and of the LiDAR map, got \[3\]'):
        GeminiConvFuser(in_channels=[3], out_channels=4)
