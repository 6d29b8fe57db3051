"""Parts of fixed shape are compiled in place; where the compiler fails, they run as they are and say so."""
import logging

import pytest
import torch
from tiny_detector import build_detector
from torch import nn

from geminifusion3d.engine import compiled_parts
from geminifusion3d.engine.compiled_parts import DENSE_PARTS, FasterForward, compile_parts


@pytest.fixture
def part():
    """Returns a small part with a convolution and a norm."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()).eval()


def faster(forward, name):
    """Return a forward as `compile_parts` puts it in place."""
    return FasterForward(forward, torch.compile(forward, mode='default', dynamic=False), name=name,
                         flag='--compile')


def test_a_compiled_part_gives_the_same_map(part, monkeypatch):
    # Traced as for the real compiler, whose C++ would take half a minute here.
    real = torch.compile
    monkeypatch.setattr(torch, 'compile', lambda forward, mode, dynamic: real(
        forward, backend='eager', dynamic=dynamic))
    x = torch.randn(1, 2, 5, 7)
    compiled = faster(part.forward, 'part')
    with torch.inference_mode():
        expected, found = part(x), compiled(x)
        again = compiled(x)
    assert compiled.is_faster
    assert torch.allclose(found, expected, atol=1e-6) and torch.equal(again, found)


def test_a_part_that_cannot_be_compiled_runs_as_it_is_and_says_so(part, monkeypatch, caplog):
    def no_compiler(*_, **__):
        def fail(*_, **__):
            raise RuntimeError('no C++ compiler found\nin a long tale')
        return fail

    monkeypatch.setattr(torch, 'compile', no_compiler)
    monkeypatch.setattr(compiled_parts, 'print_log',
                        lambda text, logger, level: logging.getLogger('here').log(level, text))
    x = torch.randn(1, 2, 5, 7)
    compiled = faster(part.forward, 'fuser')
    assert torch.equal(compiled(x), part(x)) and torch.equal(compiled(x), part(x))
    assert not compiled.is_faster
    message, = caplog.messages
    assert message == ('--compile: fuser could not be made faster (RuntimeError: no C++ compiler found); it '
                       'runs as it is, with the same results')


def test_what_the_part_refuses_is_refused_in_its_own_words(monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda forward, mode, dynamic: forward)

    def refuse(x):
        raise ValueError('maps of other cells')

    compiled = faster(refuse, 'fuser')
    with pytest.raises(ValueError, match='maps of other cells'):
        compiled(torch.ones(1))
    assert compiled.is_faster


def test_every_dense_part_of_a_detector_is_compiled_once():
    model = build_detector().eval()
    wrapped = nn.ModuleDict(dict(module=model))
    # This detector segments nothing.
    assert compile_parts(wrapped) == [part for part in DENSE_PARTS if part != 'seg_head']
    assert compile_parts(wrapped) == []
    assert isinstance(model.fuser.forward, FasterForward)
    lidar_only = build_detector(camera_branch=None, camera_align=None, fuser=None)
    assert compile_parts(lidar_only) == ['bev_backbone', 'bev_neck', 'bbox_head']
