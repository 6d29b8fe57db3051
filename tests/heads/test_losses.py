"""Losses: class indices through one-hot rows equal mmdet's; an unknown target costs nothing."""
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet.models.losses import FocalLoss, L1Loss

from geminifusion3d.heads.losses import GeminiMaskedL1Loss, OneHotLoss


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


@pytest.mark.parametrize('weights', [0., 1., 0.5])
def test_known_targets_cost_what_mmdets_loss_says(weights):
    pred, target = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    results = []
    for loss in (GeminiMaskedL1Loss(loss_weight=0.25), L1Loss(loss_weight=0.25)):
        leaf = pred.clone().requires_grad_()
        value = loss(leaf, target, torch.full_like(target, weights), avg_factor=4)
        value.backward()
        results.append((value.detach(), leaf.grad))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
