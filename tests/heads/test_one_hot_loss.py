"""Class indices through one-hot rows: the same loss as the host's with indices."""
import pytest
import torch
from mmdet.models.losses import FocalLoss

from geminifusion3d.heads.one_hot_loss import OneHotLoss


def test_it_equals_the_hosts_loss_of_class_indices():
    torch.manual_seed(0)
    host = FocalLoss(use_sigmoid=True)
    logits, weights = torch.randn(6, 3), torch.tensor([1.0, 1, 0, 1, 2, 1])
    classes = torch.tensor([0, 3, 1, 2, 3, 0])  # 3 is background
    ours = OneHotLoss(host)(logits, classes, weights, avg_factor=2)
    assert ours.item() == pytest.approx(host(logits, classes, weights, avg_factor=2).item())
