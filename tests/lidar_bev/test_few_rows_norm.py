"""The voxels' batch norm: torch's own from two rows on, running statistics below."""
import torch
from torch import nn

from geminifusion3d.lidar_bev.few_rows_norm import FewRowsNorm


def make_pair():
    """Returns our layer and torch's with the same numbers in them."""
    ours, theirs = FewRowsNorm(3, eps=1e-3, momentum=0.5), nn.BatchNorm1d(3, eps=1e-3, momentum=0.5)
    nn.init.uniform_(ours.weight)
    nn.init.uniform_(ours.bias)
    ours.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_two_rows_are_torchs_own_in_training_and_evaluation():
    ours, theirs = make_pair()
    rows = torch.randn(2, 3)
    assert torch.equal(ours(rows), theirs(rows))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(rows), theirs.eval()(rows))


def test_one_row_in_training_is_normalised_as_in_evaluation_and_not_remembered():
    ours, theirs = make_pair()
    row = torch.randn(1, 3)
    assert torch.equal(ours(row), theirs.eval()(row))
    assert torch.equal(ours.running_mean, theirs.running_mean)


def test_no_row_passes_with_gradients_of_zero():
    ours, _ = make_pair()
    ours(torch.zeros(0, 3)).sum().backward()
    assert (ours.weight.grad == 0).all() and torch.isfinite(ours.running_var).all()
