"""The sum of two maps, with nothing to learn."""
import torch

from geminifusion3d.fusion.add_fuser import GeminiAddFuser


def test_it_adds():
    fuser = GeminiAddFuser(channels=2)
    camera, lidar = torch.arange(12.0).view(1, 2, 2, 3), torch.ones(1, 2, 2, 3)
    assert torch.equal(fuser(camera, lidar), torch.arange(1.0, 13.0).view(1, 2, 2, 3))
    assert not list(fuser.parameters())
