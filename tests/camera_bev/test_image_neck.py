"""The image neck: finest resolution out, and every level matters."""
import pytest
import torch

from geminifusion3d.camera_bev import image_neck
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


@pytest.mark.parametrize('align_corners', [True, False])
@pytest.mark.parametrize('size_hw', [(8, 14), (9, 10), (4, 7), (2, 3)])
@pytest.mark.parametrize('memory_format', [torch.channels_last, torch.contiguous_format])
def test_two_products_interpolate_as_torch_does_with_gradients(size_hw, align_corners, memory_format):
    torch.manual_seed(0)
    given = torch.randn(2, 3, 4, 7, dtype=torch.float64).to(memory_format=memory_format)
    values = [given.clone().requires_grad_() for _ in range(2)]
    expected = torch.nn.functional.interpolate(values[0], size=size_hw, mode='bilinear',
                                               align_corners=align_corners)
    found = image_neck._resize_by_products(values[1], size_hw, align_corners)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    weighting = torch.randn_like(expected)
    (found * weighting).sum().backward()
    (expected * weighting).sum().backward()
    torch.testing.assert_close(values[1].grad, values[0].grad, rtol=0, atol=1e-12)


def test_by_a_factor_of_two_half_precision_rounds_no_weight():
    values = torch.randn(1, 3, 4, 8).bfloat16()
    exact = torch.nn.functional.interpolate(values.double(), scale_factor=2, mode='bilinear')
    found = image_neck._resize_by_products(values, (8, 16), False)
    # Weights 1/4 and 3/4 are exact; each of the two products rounds its result once, to 2^-9.
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=2 ** -8 * exact.abs().max().item())
