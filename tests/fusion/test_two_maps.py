"""The weighted sum of two maps: shares of a softmax."""
import torch

from geminifusion3d.fusion.two_maps import WeightedSum


def test_the_shares_are_equal_at_the_start_and_follow_alpha():
    torch.manual_seed(0)
    camera, lidar = torch.randn(2, 4, 2, 3), torch.randn(2, 4, 2, 3)
    merge = WeightedSum()
    assert torch.allclose(merge(camera, lidar), (camera + lidar) / 2)
    merge.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    expected = 0.75 * camera + 0.25 * lidar
    assert torch.allclose(merge(camera, lidar), expected)
    # Official checkpoints start from ones: only the difference counts.
    merge.alpha.data += 1
    assert torch.allclose(merge(camera, lidar), expected)
