"""A checkpoint of another model is described by counts, first keys and shapes."""
import pytest
import torch
from torch import nn

from geminifusion3d.engine.checkpoint_fit import check_fits, compare_weights
from geminifusion3d.errors import UserError


def test_weights_of_a_wrapped_model_fit() -> None:
    model = nn.Linear(2, 3)
    wrapped = {f'module.{key}': value for key, value in model.state_dict().items()}
    check_fits(model, {'state_dict': wrapped}, name='a.pth')
    check_fits(model, wrapped, name='a.pth')


def test_every_kind_of_difference_is_found() -> None:
    model = nn.Linear(2, 3)
    weights = {'weight': torch.zeros(3, 5), 'scale': torch.zeros(1)}
    assert compare_weights(model, weights) == (
        ['bias'], ['scale'], ['weight got (3, 5) expected (3, 2)'])
    with pytest.raises(UserError) as refusal:
        check_fits(model, {'state_dict': weights}, name='a.pth')
    assert str(refusal.value).startswith(
        'checkpoint a.pth is of another config: the model expects 2 weights, 1 missing (bias); '
        '1 unexpected (scale); 1 of another shape (weight got (3, 5) expected (3, 2)); pass')


def test_long_lists_show_their_first_keys() -> None:
    model = nn.Sequential(*[nn.Linear(1, 1) for _ in range(4)])
    with pytest.raises(UserError, match=r'8 missing \(0.weight, 0.bias, 1.weight, \.\.\.\)'):
        check_fits(model, {}, name='a.pth')
