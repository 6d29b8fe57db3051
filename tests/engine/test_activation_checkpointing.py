"""Activations that are computed again change no loss, no gradient, no statistics and no random number."""
from typing import Dict, List, Tuple

import pytest
import torch
from tiny_detector import build_detector, make_batch
from torch import Tensor, nn

from gemini_lab.cost.memory_estimate import LiveBytes
from geminifusion3d.engine.named_modules import checkpoint_activations
from geminifusion3d.errors import UserError

PARTS = ['camera_branch.backbone.layer*', 'camera_branch.neck', 'lidar_branch.encoder', 'fuser',
         'bev_backbone']


def step(model: nn.Module, rows: Tensor) -> Tuple[Tensor, Dict[str, Tensor], Dict[str, Tensor]]:
    """Returns the loss, the gradients and the buffers after a step with seeded random numbers."""
    torch.manual_seed(7)
    loss = model(rows).square().mean()
    loss.backward()
    return (loss.detach(), {name: p.grad for name, p in model.named_parameters()},
            dict(model.named_buffers()))


def make_model() -> nn.Module:
    """A model with everything that a second computation can get wrong."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.Dropout(0.5)),
                         nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)))


@pytest.mark.parametrize('names', ['0', ['0', '1'], ['*.1'], ''])
def test_nothing_but_memory_changes(names: 'str | List[str]') -> None:
    plain, saving, rows = make_model(), make_model(), torch.randn(3, 2, 8, 8)
    checkpoint_activations(saving, names)
    for expected, got in zip(step(plain, rows), step(saving, rows)):
        assert_same(expected, got)
    assert plain[0][1].num_batches_tracked == 1


def assert_same(expected: 'Tensor | dict', got: 'Tensor | dict') -> None:
    """Compares bit for bit."""
    if isinstance(expected, dict):
        assert expected.keys() == got.keys()
        for name, value in expected.items():
            assert torch.equal(value, got[name]), name
    else:
        assert torch.equal(expected, got)


def test_an_evaluation_runs_as_before() -> None:
    plain, saving, rows = make_model().eval(), make_model().eval(), torch.randn(3, 2, 8, 8)
    checkpoint_activations(saving, '0')
    assert torch.equal(plain(rows), saving(rows))


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(UserError, match="no module 'fusr'"):
        checkpoint_activations(nn.ModuleDict(dict(fuser=nn.ReLU())), ['fusr'])


def test_the_detector_computes_the_same_with_less_memory() -> None:
    results = []
    for parts in ([], PARTS):
        model = build_detector().train()
        if parts:
            checkpoint_activations(model, parts)
        data = model.data_preprocessor(make_batch(), training=True)
        torch.manual_seed(7)
        with LiveBytes(model.parameters()) as live:
            loss = sum(model(**data, mode='loss').values())
        kept = live.now
        loss.backward()
        results.append((loss.detach(), {name: p.grad for name, p in model.named_parameters()},
                        dict(model.named_buffers()), kept))
    for expected, got in zip(results[0][:3], results[1][:3]):
        assert_same(expected, got)
    assert results[1][3] < 0.6 * results[0][3]
