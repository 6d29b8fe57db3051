"""Losses: class indices through one-hot rows equal mmdet's; an unknown target costs nothing."""
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet.models.losses import FocalLoss

from geminifusion3d.heads.losses import OneHotLoss


def test_one_hot_rows_equal_mmdets_loss_of_class_indices():
    torch.manual_seed(0)
    theirs = FocalLoss(use_sigmoid=True)
    logits, weights = torch.randn(6, 3), torch.tensor([1.0, 1, 0, 1, 2, 1])
    classes = torch.tensor([0, 3, 1, 2, 3, 0])  # 3 is background
    ours = OneHotLoss(theirs)(logits, classes, weights, avg_factor=2)
    assert ours.item() == pytest.approx(theirs(logits, classes, weights, avg_factor=2).item())


def test_an_unknown_velocity_costs_nothing_and_has_no_gradient():
    loss = MODELS.build(dict(type='GeminiMaskedL1Loss', reduction='sum', loss_weight=1.0))
    pred = torch.tensor([[1.0, 2.0]], requires_grad=True)
    value = loss(pred, torch.tensor([[4.0, float('nan')]]), torch.tensor([[1.0, 0.0]]))
    value.backward()
    assert value.item() == 3.0 and pred.grad.tolist() == [[-1.0, 0.0]]
