"""Depth is a distribution, predicted from the image alone."""
import torch

from geminifusion3d.camera_bev.depth_net import DepthNet


def test_depth_sums_to_one_in_float32_and_context_has_its_channels():
    torch.manual_seed(0)
    net = DepthNet(in_channels=4, depth_bins=5, context_channels=3).eval()
    depth, context = net(torch.randn(2, 4, 3, 6))
    assert depth.shape == (2, 5, 3, 6) and context.shape == (2, 3, 3, 6)
    assert torch.allclose(depth.sum(1), torch.ones(2, 3, 6)) and (depth > 0).all()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert net(torch.randn(2, 4, 3, 6))[0].dtype == torch.float32
