"""The image neck: finest resolution out, and every level matters."""
import torch

from geminifusion3d.camera_bev.image_neck import ImageNeck


def test_every_level_reaches_the_one_output():
    torch.manual_seed(0)
    neck = ImageNeck(in_channels=[4, 6, 8], out_channels=5).eval()
    levels = [torch.randn(1, channels, 8 // 2 ** i, 16 // 2 ** i, requires_grad=True)
              for i, channels in enumerate([4, 6, 8])]
    merged = neck(levels)
    assert merged.shape == (1, 5, 8, 16)
    merged.square().sum().backward()
    assert all(level.grad.abs().sum() > 0 for level in levels)
