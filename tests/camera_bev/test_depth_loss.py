"""Depth supervision by hand: bins of the nearest return, and BEVDepth's loss on two pixels."""
import math

import pytest
import torch

from geminifusion3d.camera_bev.depth_image import NO_BIN, depth_loss, nearest_bins
from geminifusion3d.camera_bev.lift import Frustum

# Bins [2, 4), [4, 6), [6, 8).
FRUSTUM = Frustum((2.0, 8.0), 3)


def test_a_feature_cell_takes_the_nearest_return_of_its_pixels():
    # Two feature cells of 2 x 2 pixels: 5.9 m beats 7 m; 3 m beats nothing.
    depth_m = torch.tensor([[[7.0, 5.9, 0.0, 0.0], [0.0, 7.5, 3.0, 0.0]]])
    assert nearest_bins(depth_m, FRUSTUM, (1, 2)).tolist() == [[[1, 0]]]


def test_borders_of_bins_and_depths_outside_of_them():
    depth_m = torch.tensor([[[2.0, 3.999, 4.0, 7.999, 8.0, 1.999, 0.0]]])
    assert nearest_bins(depth_m, FRUSTUM, (1, 7)).tolist() == [[[0, 0, 1, 2, NO_BIN, NO_BIN, NO_BIN]]]


def test_a_return_before_the_first_bin_hides_what_lies_behind_it():
    assert nearest_bins(torch.tensor([[[1.0, 5.0]]]), FRUSTUM, (1, 1)).tolist() == [[[NO_BIN]]]


def test_the_loss_of_two_pixels_by_hand():
    # Pixel 0 holds a return in bin 1, pixel 1 none.
    depth = torch.tensor([[0.2, 0.7, 0.1], [0.5, 0.3, 0.2]]).T.reshape(1, 3, 1, 2)
    lidar_m = torch.tensor([5.0, 0.0]).view(1, 1, 1, 2)
    one = -(math.log(1 - 0.2) + math.log(0.7) + math.log(1 - 0.1))
    assert depth_loss(depth, lidar_m, FRUSTUM).item() == pytest.approx(one, abs=1e-6)
    # With a return at 2.5 m in pixel 1 the loss is the mean of the two pixels' sums.
    two = -(math.log(0.5) + math.log(1 - 0.3) + math.log(1 - 0.2))
    lidar_m = torch.tensor([5.0, 2.5]).view(1, 1, 1, 2)
    assert depth_loss(depth, lidar_m, FRUSTUM).item() == pytest.approx((one + two) / 2, abs=1e-6)


def test_the_gradient_raises_the_bin_of_the_return_and_lowers_the_others():
    logits = torch.zeros(1, 3, 1, 2, requires_grad=True)
    depth_loss(logits.softmax(1), torch.tensor([5.0, 0.0]).view(1, 1, 1, 2), FRUSTUM).backward()
    assert (logits.grad[0, :, 0, 0].sign() == torch.tensor([1.0, -1.0, 1.0])).all()
    assert not logits.grad[..., 1].any()


def test_no_return_at_all_gives_a_loss_of_zero_with_a_gradient():
    logits = torch.zeros(2, 3, 1, 2, requires_grad=True)
    loss = depth_loss(logits.softmax(1), torch.zeros(1, 2, 1, 2), FRUSTUM)
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_the_loss_is_float32_under_autocast():
    depth = torch.tensor([0.2, 0.7, 0.1]).view(1, 3, 1, 1)
    lidar_m = torch.full((1, 1, 1, 1), 5.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = depth_loss(depth, lidar_m, FRUSTUM)
    assert loss.dtype == torch.float32 and loss == depth_loss(depth, lidar_m, FRUSTUM)
