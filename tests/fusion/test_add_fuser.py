"""The sum of two maps, with nothing to learn."""
import pytest
import torch

from geminifusion3d.fusion.two_maps import GeminiAddFuser


def test_it_adds():
    fuser = GeminiAddFuser(channels=2)
    camera, lidar = torch.arange(12.0).view(1, 2, 2, 3), torch.ones(1, 2, 2, 3)
    assert torch.equal(fuser(camera, lidar), torch.arange(1.0, 13.0).view(1, 2, 2, 3))
    assert not list(fuser.parameters())


def test_maps_of_other_channels_than_declared_are_refused():
    with pytest.raises(ValueError, match=r'built for maps of 3 channels, got \(1, 2, 4, 5\)'):
        GeminiAddFuser(channels=3)(torch.ones(1, 2, 4, 5), torch.ones(1, 2, 4, 5))
