"""Constants are copied once a device and dtype, and serve training after inference."""
import torch

from geminifusion3d.ops.device_constants import constant_like


def test_the_same_tensor_comes_back_in_the_dtype_asked_for():
    like = torch.zeros(2)
    first = constant_like([1.5, -2.0], like)
    assert first.tolist() == [1.5, -2.0] and first.dtype == torch.float32
    assert constant_like((1.5, -2.0), like) is first
    assert constant_like([1.5, -2.0], like.double()).dtype == torch.float64


def test_one_made_in_inference_mode_serves_training():
    with torch.inference_mode():
        constant = constant_like([7.25], torch.zeros(1))
    x = torch.ones(1, requires_grad=True)
    (x * constant).sum().backward()
    assert x.grad.tolist() == [7.25]
