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


def test_align_corners_changes_the_upsampling_and_no_weight():
    torch.manual_seed(0)
    levels = [torch.randn(1, 4, 8, 16), torch.randn(1, 6, 4, 8)]
    necks = [ImageNeck(in_channels=[4, 6], out_channels=5, align_corners=align).eval()
             for align in (False, True)]
    necks[1].load_state_dict(necks[0].state_dict())
    outputs = [neck(levels) for neck in necks]
    assert not torch.allclose(*outputs, atol=1e-3)
    # Identical where the coarse level is constant: then upsampling in any manner returns the constant.
    levels[1] = torch.ones_like(levels[1])
    torch.testing.assert_close(*[neck(levels) for neck in necks])
